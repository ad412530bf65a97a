// SQLite's C handles, owned; its error codes, translated; its connections, opened the two ways that
// STORES.md allows: one that writes, and any number that only read.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

struct SqliteCloser {
  void operator()(sqlite3* db) const noexcept;
};
using SqliteHandle = std::unique_ptr<sqlite3, SqliteCloser>;

// Must end before its connection does.
struct SqliteFinalizer {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, SqliteFinalizer>;

// Resets a statement and clears its bindings on every path out of a scope.
class StatementScope {
 public:
  explicit StatementScope(sqlite3_stmt* statement) : statement_(statement) {}
  ~StatementScope() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

 private:
  sqlite3_stmt* const statement_;
};

struct SqliteOptions {
  std::string path;
  // For a new file only. 8 KiB: a page must hold four records or their values spill, which costs
  // reads a factor of four; at 1 KiB a record 8 KiB pages still hold seven
  // (docs/storage-layout.md).
  std::uint32_t page_bytes = 8192;
  // A checkpoint runs once the WAL holds this many pages. 10,000 instead of SQLite's 1,000 writes a
  // page that changes often fewer times.
  std::uint32_t checkpoint_pages = 10000;
  std::uint64_t mmap_bytes = 1ull << 40;  // SQLite takes as much of it as it was compiled for
  std::uint32_t writer_cache_kib = 32768;
  std::uint32_t reader_cache_kib = 2048;
};

// "`doing`: SQLite's text" with the code that fits; `db` may be null. Precondition: an error.
tl::unexpected<Error> FailSqlite(sqlite3* db, std::string_view doing, int sqlite_error);

// Kept for reuse: SQLITE_PREPARE_PERSISTENT.
Result<StatementHandle> PrepareSqlite(sqlite3* db, std::string_view sql);
// Runs one statement without results, or ignores them.
Status ExecuteSqlite(sqlite3* db, const std::string& sql);
// Runs a statement that gives one text or number; "" when it gives no row.
Result<std::string> QuerySqliteText(sqlite3* db, const std::string& sql);

// Bound without a copy: the bytes must live until the statement is reset. Empty is not NULL.
int BindSqliteBlob(sqlite3_stmt* statement, int index, std::string_view bytes);
// Valid until the statement steps, resets or ends.
std::string_view SqliteColumnBytes(sqlite3_stmt* statement, int index);
// `name` as an SQL identifier.
std::string QuoteSqlite(std::string_view name);

// The connection that writes, in WAL mode. Makes the file when there is none. It runs every
// checkpoint as well, between its transactions (see IsSingleWriterRuleNeeded).
// Errors: kCorruption (not a database), kBusy (another process holds it exclusively), kIo.
Result<SqliteHandle> OpenSqliteWriter(const SqliteOptions& options);
// A connection that cannot write, and never checkpoints, not even when it closes. Without
// cell_size_check: a page read through the map is looked at anew each time, and checking all of its
// cells takes a third of a read's time (docs/storage-layout.md). SQLite checks the cells it uses
// anyway.
Result<SqliteHandle> OpenSqliteReader(const SqliteOptions& options);

// A small database of ours beside the stores, each commit of which is durable on return: a rollback
// journal and synchronous=FULL. Makes the file when there is none. One connection at a time.
Result<SqliteHandle> OpenSqliteDurable(const std::string& path);

// Such a database that is there, to look into it: statements that write fail. What a crash has left
// half done is undone first, as any opening does. kNotFound when there is none.
Result<SqliteHandle> OpenSqliteToRead(const std::string& path);

// Whether this SQLite takes its own JSON functions for unsafe in a schema, as 3.38 to 3.40 do: with
// trusted_schema=OFF a generated column that uses one makes the whole database unreadable
// ("malformed database schema"). Found out by trying. The connections to a store then trust its
// schema, and lose little: they have no functions and no extensions but SQLite's own.
bool IsJsonDistrusted();

// Whether this version of SQLite can corrupt a database when a checkpoint of one connection
// overlaps a writer on another (the WAL-reset bug; fixed in 3.44.6, 3.50.7 and 3.51.3). We keep to
// one connection for both in any case.
bool IsSingleWriterRuleNeeded(int sqlite_version_number);

}  // namespace switchback
