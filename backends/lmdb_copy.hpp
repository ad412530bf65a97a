// ReadView::CopyTo for LMDB: cursors over a pinned read transaction, appended to a new environment.
// mdb_env_copy takes a snapshot of its own, so that it cannot copy one that stands at a chosen
// batch; and this is as fast, and leaves no free pages.
#pragma once

#include <lmdb.h>

#include <string>
#include <vector>

#include "backends/backend.hpp"

namespace switchback {

// Copies the main database and `names`, the named ones in `txn`, with the flags they have. The file
// at `path` is made, without a lock file beside it. kNoSpace when the disk is full.
Status WriteLmdbCopy(MDB_txn* txn, const std::vector<std::string>& names, const std::string& path,
                     const ReadView::CopyStep& step);

}  // namespace switchback
