#include "server/bench/sqlite_store.hpp"

#include <fmt/core.h>

#include <vector>

namespace switchback::bench {
namespace {

// Above it four records do not fit into a page of 4 KiB.
constexpr std::size_t kSmallValueBytesMax = 900;
constexpr int kBusyWaitMs = 10'000;

constexpr const char* kWriterPragmas =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=68719476736";
constexpr const char* kCreateTable =
    "CREATE TABLE IF NOT EXISTS bench(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";
constexpr const char* kUpsert =
    "INSERT INTO bench(key, value) VALUES(?1, ?2) "
    "ON CONFLICT(key) DO UPDATE SET value = excluded.value";

}  // namespace

tl::unexpected<Error> FailSqlite(const char* doing, sqlite3* connection) {
  const char* cause = connection == nullptr ? "out of memory" : sqlite3_errmsg(connection);
  const bool is_full = connection != nullptr && sqlite3_errcode(connection) == SQLITE_FULL;
  return Fail(is_full ? ErrorCode::kNoSpace : ErrorCode::kIo,
              std::string("bare SQLite, ") + doing + ": " + cause);
}

Result<SqliteConnection> OpenSqlite(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteConnection connection(raw);
  if (code != SQLITE_OK) return FailSqlite("open", raw);
  sqlite3_busy_timeout(raw, kBusyWaitMs);
  return connection;
}

Status Execute(sqlite3* connection, const char* sql) {
  if (sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return FailSqlite(sql, connection);
  return {};
}

Result<SqliteStatement> Prepare(sqlite3* connection, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
      SQLITE_OK)
    return FailSqlite("prepare", connection);
  return SqliteStatement(raw);
}

Status Step(sqlite3_stmt* statement) {
  const int stepped = sqlite3_step(statement);
  const int code = sqlite3_reset(statement);
  if (stepped != SQLITE_DONE || code != SQLITE_OK)
    return FailSqlite(sqlite3_sql(statement), sqlite3_db_handle(statement));
  return {};
}

void BindBlob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

SqliteTuning TuningFor(std::size_t value_bytes) {
  SqliteTuning tuning;
  if (value_bytes > kSmallValueBytesMax) tuning.page_bytes = 8192;
  return tuning;
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::Create(const std::string& path,
                                                         const SqliteTuning& tuning) {
  auto writer = OpenSqlite(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!writer) return Fail(writer.error());
  // The page size has to come before anything that makes the file.
  const std::string pragmas =
      fmt::format("PRAGMA page_size={}; {}; PRAGMA wal_autocheckpoint={}", tuning.page_bytes,
                  kWriterPragmas, tuning.checkpoint_pages);
  SB_RETURN_IF_ERROR(Execute(writer->get(), pragmas.c_str()));
  SB_RETURN_IF_ERROR(Execute(writer->get(), kCreateTable));
  auto store = std::unique_ptr<SqliteStore>(new SqliteStore(path, std::move(*writer)));
  SB_RETURN_IF_ERROR(store->PrepareStatements());
  return store;
}

Status SqliteStore::PrepareStatements() {
  MutexLock lock(mutex_);
  struct Slot {
    SqliteStatement& statement;
    const char* sql;
  };
  for (const Slot& slot :
       {Slot{begin_, "BEGIN IMMEDIATE"}, Slot{commit_, "COMMIT"}, Slot{put_, kUpsert},
        Slot{find_, "SELECT value FROM bench WHERE key = ?1"}}) {
    auto statement = switchback::bench::Prepare(writer_.get(), slot.sql);
    if (!statement) return Fail(statement.error());
    slot.statement = std::move(*statement);
  }
  return {};
}

Status SqliteStore::Finish(Status outcome) {
  if (outcome) outcome = Step(commit_.get());
  if (!outcome) (void)Execute(writer_.get(), "ROLLBACK");  // the first error is the one to tell
  return outcome;
}

Status SqliteStore::Put(const RecordView& record) {
  BindBlob(put_.get(), 1, record.key);
  BindBlob(put_.get(), 2, record.value);
  return Step(put_.get());
}

Status SqliteStore::Find(std::string_view key) {
  BindBlob(find_.get(), 1, key);
  const int stepped = sqlite3_step(find_.get());
  sqlite3_reset(find_.get());
  if (stepped != SQLITE_ROW && stepped != SQLITE_DONE) return FailSqlite("find", writer_.get());
  return {};
}

Status SqliteStore::PutAll(std::span<const RecordView> records) {
  for (const RecordView& record : records) SB_RETURN_IF_ERROR(Put(record));
  return {};
}

Status SqliteStore::Write(std::span<const RecordView> records) {
  MutexLock lock(mutex_);
  // One statement is a transaction of its own, and cheaper than three.
  if (records.size() == 1) return Put(records.front());
  SB_RETURN_IF_ERROR(Step(begin_.get()));
  return Finish(PutAll(records));
}

Status SqliteStore::ReadModifyWrite(const RecordView& record) {
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(Step(begin_.get()));
  Status outcome = Find(record.key);
  if (outcome) outcome = Put(record);
  return Finish(std::move(outcome));
}

Status SqliteStore::Load(std::uint64_t count, std::size_t value_bytes) {
  const std::vector<std::uint64_t> indexes = IndexesInKeyOrder(count);
  std::string value(value_bytes, '\0');
  MutexLock lock(mutex_);
  Status outcome = Step(begin_.get());
  for (const std::uint64_t index : indexes) {
    if (!outcome) break;
    FillValue(value, index, 0);
    const Key key = KeyOf(index);
    outcome = Put({View(key), value});
  }
  SB_RETURN_IF_ERROR(Finish(std::move(outcome)));
  return Execute(writer_.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
}

Status SqliteStore::Checkpoint() {
  MutexLock lock(mutex_);
  return Execute(writer_.get(), "PRAGMA wal_checkpoint(PASSIVE)");
}

}  // namespace switchback::bench
