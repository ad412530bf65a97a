// A plain SQLite file as a careful application would use it: WAL, durable commits, prepared
// statements, a read-only connection for each reading thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/sync.hpp"
#include "server/bench/record.hpp"

namespace switchback::bench {

struct SqliteCloser {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
struct SqliteFinalizer {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using SqliteConnection = std::unique_ptr<sqlite3, SqliteCloser>;
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteFinalizer>;

tl::unexpected<Error> FailSqlite(const char* doing, sqlite3* connection);
Result<SqliteConnection> OpenSqlite(const std::string& path, int flags);
Status Execute(sqlite3* connection, const char* sql);
Result<SqliteStatement> Prepare(sqlite3* connection, const char* sql);
// Runs a statement that gives no rows, and makes it ready for the next time.
Status Step(sqlite3_stmt* statement);
// The bytes must live until the statement is bound anew or reset and cleared.
void BindBlob(sqlite3_stmt* statement, int index, std::string_view bytes);

// What differs from SQLite's own defaults beside WAL and mmap.
struct SqliteTuning {
  int page_bytes = 4096;  // at 100 B values 4 KiB pages read and write fastest
  // Ten times SQLite's default: fewer, larger checkpoints write up to 1.3 x faster.
  int checkpoint_pages = 10'000;
};
// Pages must hold four records, or every row spills into an overflow page.
SqliteTuning TuningFor(std::size_t value_bytes);

// One writer connection behind a lock, which also checkpoints: before 3.51.3 a checkpoint on one
// connection beside a writer on another can corrupt the file. Thread-safe.
class SqliteStore {
 public:
  static Result<std::unique_ptr<SqliteStore>> Create(const std::string& path,
                                                     const SqliteTuning& tuning);

  // Fills the empty table with records 0..count-1 in key order, version 0.
  Status Load(std::uint64_t count, std::size_t value_bytes) SB_EXCLUDES(mutex_);
  Status Checkpoint() SB_EXCLUDES(mutex_);

  // Upserts all of them in one transaction, durable on return.
  Status Write(std::span<const RecordView> records) SB_EXCLUDES(mutex_);
  // The same for one record that is read first, in the same transaction.
  Status ReadModifyWrite(const RecordView& record) SB_EXCLUDES(mutex_);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  SqliteStore(std::string path, SqliteConnection writer)
      : path_(std::move(path)), writer_(std::move(writer)) {}
  Status PrepareStatements() SB_EXCLUDES(mutex_);
  Status Put(const RecordView& record) SB_REQUIRES(mutex_);
  Status Find(std::string_view key) SB_REQUIRES(mutex_);
  Status PutAll(std::span<const RecordView> records) SB_REQUIRES(mutex_);
  // Commits when `outcome` is good, else rolls back and hands it on.
  Status Finish(Status outcome) SB_REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_;
  SqliteConnection writer_ SB_GUARDED_BY(mutex_);
  SqliteStatement begin_ SB_GUARDED_BY(mutex_);
  SqliteStatement commit_ SB_GUARDED_BY(mutex_);
  SqliteStatement put_ SB_GUARDED_BY(mutex_);
  SqliteStatement find_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback::bench
