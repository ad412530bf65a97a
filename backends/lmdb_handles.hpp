// LMDB's C handles, owned; its error codes, translated; its environment, opened the one way that
// STORES.md allows.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

struct MdbEnvCloser {
  void operator()(MDB_env* env) const noexcept { mdb_env_close(env); }
};
using MdbEnvHandle = std::unique_ptr<MDB_env, MdbEnvCloser>;

// Leaving scope aborts; CommitTxn ends it the other way.
struct MdbTxnAborter {
  void operator()(MDB_txn* txn) const noexcept { mdb_txn_abort(txn); }
};
using MdbTxnHandle = std::unique_ptr<MDB_txn, MdbTxnAborter>;

// Must end before its transaction does.
struct MdbCursorCloser {
  void operator()(MDB_cursor* cursor) const noexcept { mdb_cursor_close(cursor); }
};
using MdbCursorHandle = std::unique_ptr<MDB_cursor, MdbCursorCloser>;

// MDB_NOTLS: read transactions belong to ReadViews, not to threads. MDB_NOMETASYNC: a power cut may
// take the newest transactions, never integrity; the commit log still has them, since it is trimmed
// only after MakeDurable. MDB_NOSYNC, MDB_WRITEMAP and MDB_MAPASYNC can corrupt: never.
inline constexpr unsigned kLmdbEnvFlags = MDB_NOTLS | MDB_NOMETASYNC;
// One a thread and view; LMDB's default is 126. Holds only when ours is the first process to open
// the lock file.
inline constexpr unsigned kLmdbReaderCountMax = 2048;
// The collections, and a few that are ours or cannot be served.
inline constexpr unsigned kLmdbDatabaseCountMax = 1024 + 8;

inline MDB_val ToMdb(std::string_view bytes) {
  // LMDB's interface has no const, but it never writes through these.
  return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}
inline std::string_view FromMdb(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// "`doing`: LMDB's text" with the code that fits. Precondition: mdb_error != MDB_SUCCESS.
tl::unexpected<Error> FailMdb(std::string_view doing, int mdb_error);

// MDB_SUCCESS or an error; the handle is gone whatever the result.
inline int CommitTxn(MdbTxnHandle txn) {
  return mdb_txn_commit(txn.release());
}

// Opens with the flags and limits above and a map of at least `map_bytes`; less when the machine
// grants no address space for that much, but never less than the file needs. `path` is a directory,
// or with `is_file` the data file itself.
Result<MdbEnvHandle> OpenMdbEnv(const std::string& path, bool is_file, std::uint64_t map_bytes);

// A data file that no process writes to: nothing is locked, nothing changed, nothing made beside
// it.
Result<MdbEnvHandle> OpenMdbFileReadOnly(const std::string& path);

}  // namespace switchback
