// Copies of a SQLite database: taken, read back, and put back.
#pragma once

#include <sqlite3.h>

#include <string>

#include "backends/sql_store.hpp"
#include "backends/sqlite_handles.hpp"

namespace switchback {

// SqlStore::CopyTo, between the transactions of `db`.
Status WriteSqliteCopy(sqlite3* db, const std::string& path, const SqlBudget& budget);

// ReadView::CopyTo: the snapshot that `db`, inside a read transaction, holds, page by page. The
// source cannot change under it, so that the copy never begins anew. The file is one for itself: it
// is not in WAL mode, and needs no file beside it to be read.
Status WriteSqliteSnapshot(sqlite3* db, const std::string& path, const ReadView::CopyStep& step);

// Writes the pages of the copy over the database of `db` in one transaction, through its WAL: no
// file is replaced, so that locks, readers and a -wal beside it stay what they are (STORES.md 3).
// SqlStore::PutBack, but for what the backend keeps of the WAL. Errors: kCorruption, kNoSpace,
// kBusy, kIo; whether it committed is known only after a Reopen.
Status PutSqliteCopyBack(sqlite3* db, const std::string& path);

}  // namespace switchback
