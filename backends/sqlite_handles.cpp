#include "backends/sqlite_handles.hpp"

#include <unistd.h>

#include <mutex>

#include "backends/write_pacer.hpp"
#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// How long a call waits for another process that holds a lock.
constexpr int kBusyTimeoutMs = 1000;

ErrorCode CodeOf(int sqlite_error) {
  switch (sqlite_error & 0xff) {
    case SQLITE_FULL: return ErrorCode::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::kBusy;
    case SQLITE_TOOBIG: return ErrorCode::kTooLarge;
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_PERM: return ErrorCode::kRefused;
    case SQLITE_INTERRUPT: return ErrorCode::kCancelled;
    default: return ErrorCode::kIo;
  }
}

// Counting every allocation under one lock would make readers' threads wait for each other. Works
// only before the first use of SQLite in the process, and does no harm later.
void ConfigureLibrary() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
  InstallWritePacerInSqlite();
}

Result<SqliteHandle> OpenConnection(const std::string& path, int flags) {
  ConfigureLibrary();
  sqlite3* opened = nullptr;
  const int error = sqlite3_open_v2(
      path.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, nullptr);
  SqliteHandle db(opened);  // given even on failure, and closed then
  if (error != SQLITE_OK) return FailSqlite(db.get(), "open " + path, error);
  sqlite3_extended_result_codes(db.get(), 1);
  sqlite3_busy_timeout(db.get(), kBusyTimeoutMs);
  return db;
}

Status SetConfig(sqlite3* db, int option, int wanted) {
  int now = -1;
  const int error = sqlite3_db_config(db, option, wanted, &now);
  if (error != SQLITE_OK) return FailSqlite(db, "configure the connection", error);
  SB_CHECK(now == wanted, "SQLite has the protections we rely on");
  return {};
}

// A database file is input that others may have written.
Status ConfigureConnection(sqlite3* db, const SqliteOptions& options, std::uint32_t cache_kib) {
  SB_RETURN_IF_ERROR(SetConfig(db, SQLITE_DBCONFIG_DEFENSIVE, 1));
  SB_RETURN_IF_ERROR(SetConfig(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, IsJsonDistrusted() ? 1 : 0));
  SB_RETURN_IF_ERROR(SetConfig(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "PRAGMA wal_autocheckpoint=0"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "PRAGMA temp_store=MEMORY"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "PRAGMA mmap_size=" + std::to_string(options.mmap_bytes)));
  return ExecuteSqlite(db, "PRAGMA cache_size=-" + std::to_string(cache_kib));
}

Status SwitchToWal(sqlite3* db, const SqliteOptions& options) {
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "PRAGMA page_size=" + std::to_string(options.page_bytes)));
  auto mode = QuerySqliteText(db, "PRAGMA journal_mode=WAL");
  if (!mode) return Fail(mode.error());
  if (*mode != "wal") {
    return Fail(ErrorCode::kIo, "the file system of " + options.path + " does not allow WAL mode");
  }
  return {};
}

}  // namespace

void SqliteCloser::operator()(sqlite3* db) const noexcept {
  const int error = sqlite3_close(db);
  SB_CHECK(error == SQLITE_OK, "statements end before their connection");
}

tl::unexpected<Error> FailSqlite(sqlite3* db, std::string_view doing, int sqlite_error) {
  SB_CHECK(sqlite_error != SQLITE_OK && sqlite_error != SQLITE_ROW && sqlite_error != SQLITE_DONE,
           "success is not an error");
  std::string message(doing);
  message += ": ";
  message += sqlite3_errstr(sqlite_error);
  if (db != nullptr) message += std::string(" (") + sqlite3_errmsg(db) + ")";
  return Fail(CodeOf(sqlite_error), std::move(message));
}

Result<StatementHandle> PrepareSqlite(sqlite3* db, std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int error = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()),
                                       SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (error != SQLITE_OK) return FailSqlite(db, "prepare", error);
  SB_CHECK(prepared != nullptr, "there is a statement in the text");
  return StatementHandle(prepared);
}

Status ExecuteSqlite(sqlite3* db, const std::string& sql) {
  const int error = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
  if (error != SQLITE_OK) return FailSqlite(db, sql, error);
  return {};
}

Result<std::string> QuerySqliteText(sqlite3* db, const std::string& sql) {
  auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(statement.error());
  const int error = sqlite3_step(statement->get());
  if (error == SQLITE_DONE) return std::string();
  if (error != SQLITE_ROW) return FailSqlite(db, sql, error);
  return std::string(SqliteColumnBytes(statement->get(), 0));
}

int BindSqliteBlob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  // A null pointer would bind NULL, which is not the empty value.
  const char* start = bytes.empty() ? "" : bytes.data();
  return sqlite3_bind_blob64(statement, index, start, bytes.size(), SQLITE_STATIC);
}

std::string_view SqliteColumnBytes(sqlite3_stmt* statement, int index) {
  const auto* start = static_cast<const char*>(sqlite3_column_blob(statement, index));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
  return size == 0 ? std::string_view() : std::string_view(start, size);
}

std::string QuoteSqlite(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

Result<SqliteHandle> OpenSqliteWriter(const SqliteOptions& options) {
  auto db = OpenConnection(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db) return db;
  SB_RETURN_IF_ERROR(SwitchToWal(db->get(), options));
  SB_RETURN_IF_ERROR(ConfigureConnection(db->get(), options, options.writer_cache_kib));
  // The writer looks at the cells of every page it loads; see OpenSqliteReader for why readers
  // don't.
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA cell_size_check=ON"));
  // NORMAL: commits do not wait for the disk; MakeDurable does. The commit log keeps what it has
  // not covered.
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA synchronous=NORMAL"));
  // Debian's SQLite overwrites deleted records with zeros, at the price of writing pages that need
  // not be written. FAST does so only where the page is written anyway.
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA secure_delete=FAST"));
  // For tables that migrations made. Collections have none (backends/sqlite_rules.hpp).
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA foreign_keys=ON"));
  // After a stall that let the WAL grow, give the space back.
  const std::uint64_t wal_bytes_kept =
      std::uint64_t{2} * options.checkpoint_pages * options.page_bytes;
  SB_RETURN_IF_ERROR(
      ExecuteSqlite(db->get(), "PRAGMA journal_size_limit=" + std::to_string(wal_bytes_kept)));
  return db;
}

Result<SqliteHandle> OpenSqliteReader(const SqliteOptions& options) {
  auto db = OpenConnection(options.path, SQLITE_OPEN_READONLY);
  if (!db) return db;
  SB_RETURN_IF_ERROR(SetConfig(db->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1));
  SB_RETURN_IF_ERROR(ConfigureConnection(db->get(), options, options.reader_cache_kib));
  return db;
}

Result<SqliteHandle> OpenSqliteDurable(const std::string& path) {
  auto db = OpenConnection(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!db) return db;
  SB_RETURN_IF_ERROR(SetConfig(db->get(), SQLITE_DBCONFIG_DEFENSIVE, 1));
  SB_RETURN_IF_ERROR(SetConfig(db->get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0));
  // TRUNCATE, since SQLite ignores errors of directory syncs, which DELETE would depend on.
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA journal_mode=TRUNCATE"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA synchronous=FULL"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA cell_size_check=ON"));
  return db;
}

// Not SQLITE_OPEN_READONLY, which could not undo what a crash has left. Where the file may not be
// written SQLite falls back to that by itself.
Result<SqliteHandle> OpenSqliteToRead(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0)
    return Fail(ErrorCode::kNotFound, path + ": there is no such file");
  auto db = OpenConnection(path, SQLITE_OPEN_READWRITE);
  if (!db) return db;
  SB_RETURN_IF_ERROR(SetConfig(db->get(), SQLITE_DBCONFIG_DEFENSIVE, 1));
  SB_RETURN_IF_ERROR(SetConfig(db->get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA query_only=ON"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db->get(), "PRAGMA cell_size_check=ON"));
  return db;
}

bool IsJsonDistrusted() {
  static const bool is_distrusted = [] {
    sqlite3* opened = nullptr;
    const int error = sqlite3_open(":memory:", &opened);
    const SqliteHandle db(opened);
    if (error != SQLITE_OK) return true;
    sqlite3_db_config(db.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return sqlite3_exec(db.get(), "CREATE TABLE t(a, b AS (json_valid(a)))", nullptr, nullptr,
                        nullptr) != SQLITE_OK;
  }();
  return is_distrusted;
}

bool IsSingleWriterRuleNeeded(int sqlite_version_number) {
  const auto is_fixed_in = [&](int from, int below) {
    return sqlite_version_number >= from && sqlite_version_number < below;
  };
  return !is_fixed_in(3044006, 3045000) && !is_fixed_in(3050007, 3051000) &&
         sqlite_version_number < 3051003;
}

}  // namespace switchback
