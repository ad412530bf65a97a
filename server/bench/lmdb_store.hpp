// A plain LMDB environment as an application would use it: the bare engine that runs are compared
// with, and the environment that the service adopts.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <string>

#include "common/result.hpp"

namespace switchback::bench {

// The named database, table and collection of all benchmark records.
inline constexpr const char* kBenchCollection = "bench";

struct MdbEnvCloser {
  void operator()(MDB_env* env) const noexcept { mdb_env_close(env); }
};
struct MdbTxnAborter {
  void operator()(MDB_txn* txn) const noexcept { mdb_txn_abort(txn); }
};
struct MdbCursorCloser {
  void operator()(MDB_cursor* cursor) const noexcept { mdb_cursor_close(cursor); }
};
using MdbEnv = std::unique_ptr<MDB_env, MdbEnvCloser>;
using MdbTxn = std::unique_ptr<MDB_txn, MdbTxnAborter>;
using MdbCursor = std::unique_ptr<MDB_cursor, MdbCursorCloser>;

tl::unexpected<Error> FailMdb(const char* doing, int code);

// Durable commits (LMDB's default mode). Thread-safe.
class LmdbStore {
 public:
  // Makes the directory and the environment, or opens them. One store a directory and process.
  static Result<std::unique_ptr<LmdbStore>> Open(const std::string& directory);

  // Fills the empty database with records 0..count-1 in key order (MDB_APPEND), version 0.
  Status Load(std::uint64_t count, std::size_t value_bytes);

  Result<MdbTxn> Begin(unsigned flags) const;
  static Status Commit(MdbTxn txn);

  [[nodiscard]] MDB_env* env() const { return env_.get(); }
  [[nodiscard]] MDB_dbi dbi() const { return dbi_; }

 private:
  LmdbStore(MdbEnv env, MDB_dbi dbi) : env_(std::move(env)), dbi_(dbi) {}
  Status LoadSome(const std::uint64_t* first, const std::uint64_t* last, std::size_t value_bytes);

  MdbEnv env_;
  MDB_dbi dbi_;
};

}  // namespace switchback::bench
