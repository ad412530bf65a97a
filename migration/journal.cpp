#include "migration/journal.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr const char* kVersion = "1";

constexpr const char* kTables =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE documents(name TEXT PRIMARY KEY NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE operations(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " actor TEXT NOT NULL, reason TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL,"
    " ended_at TEXT NOT NULL, detail TEXT NOT NULL);"
    "CREATE TABLE steps(operation INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,"
    " started_at TEXT NOT NULL, ended_at TEXT NOT NULL, detail TEXT NOT NULL,"
    " PRIMARY KEY(operation, name));"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL,"
    " actor TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);"
    "CREATE TABLE findings(list TEXT NOT NULL, collection TEXT NOT NULL, key BLOB NOT NULL,"
    " detail TEXT NOT NULL, PRIMARY KEY(list, collection, key)) WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "COMMIT";

// Binds texts from the first parameter on.
auto Texts(std::initializer_list<std::string_view> texts) {
  return [texts = std::vector<std::string_view>(texts)](sqlite3_stmt* statement) {
    int index = 0;
    for (const std::string_view text : texts) {
      sqlite3_bind_text(statement, ++index, text.data() == nullptr ? "" : text.data(),
                        static_cast<int>(text.size()), SQLITE_STATIC);
    }
  };
}

std::string Column(sqlite3_stmt* row, int index) {
  return std::string(SqliteColumnBytes(row, index));
}

// Of a row of kOperationColumns.
constexpr std::string_view kOperationColumns =
    "SELECT id, kind, actor, reason, status, started_at, ended_at, detail FROM operations";
OperationRecord OperationOf(sqlite3_stmt* row) {
  return {sqlite3_column_int64(row, 0),
          Column(row, 1),
          Column(row, 2),
          Column(row, 3),
          Column(row, 4),
          Column(row, 5),
          Column(row, 6),
          Column(row, 7),
          {}};
}

// A transaction that is undone unless it is committed.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(sqlite3* db) : db_(db) {}
  ~SqliteTransaction() {
    if (sqlite3_get_autocommit(db_) == 0) static_cast<void>(ExecuteSqlite(db_, "ROLLBACK"));
  }
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  Status Begin() { return ExecuteSqlite(db_, "BEGIN IMMEDIATE"); }
  Status Commit() { return ExecuteSqlite(db_, "COMMIT"); }

 private:
  sqlite3* const db_;
};

}  // namespace

std::string FormatUtc(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

std::optional<WallTime> ParseUtc(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  double fraction = 0;
  if (*rest == '.') {
    char* end = nullptr;
    fraction = std::strtod(rest, &end);
    rest = end;
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&parts)) +
                  std::chrono::microseconds(static_cast<std::int64_t>(fraction * 1e6)));
}

Result<std::unique_ptr<Journal>> Journal::Open(const std::string& path, const Clock& clock) {
  auto db = OpenSqliteDurable(path);
  if (!db) return Fail(WithContext(db.error(), "open the journal of operations"));
  auto version = QuerySqliteText(db->get(), "PRAGMA user_version");
  if (!version) return Fail(WithContext(version.error(), "open the journal " + path));
  if (*version == "0") {
    SqliteTransaction undo(db->get());
    if (auto made = ExecuteSqlite(db->get(), kTables); !made)
      return Fail(WithContext(made.error(), "make the journal " + path));
  } else if (*version != kVersion) {
    return Fail(ErrorCode::kUnsupported, path + " has version " + *version +
                                             ", which this switchback does not know: use the "
                                             "version that wrote it, or a newer one");
  }
  return std::unique_ptr<Journal>(new Journal(*std::move(db), clock));
}

std::string Journal::Now() const {
  return FormatUtc(clock_.WallNow());
}

Status Journal::Run(std::string_view sql, const Bind& bind, const Row& row) {
  auto statement = PrepareSqlite(db_.get(), sql);
  if (!statement) return Fail(WithContext(statement.error(), "journal"));
  if (bind) bind(statement->get());
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(statement->get())) == SQLITE_ROW) {
    if (row) row(statement->get());
  }
  if (error != SQLITE_DONE) return FailSqlite(db_.get(), "journal", error);
  return {};
}

// --- Documents ---

Result<std::optional<std::string>> Journal::Load(std::string_view name) {
  MutexLock lock(mutex_);
  std::optional<std::string> json;
  SB_RETURN_IF_ERROR(Run("SELECT json FROM documents WHERE name = ?1", Texts({name}),
                         [&](sqlite3_stmt* row) { json = Column(row, 0); }));
  return json;
}

Status Journal::Store(std::string_view name, std::string_view json) {
  MutexLock lock(mutex_);
  return Run(
      "INSERT INTO documents(name, json) VALUES(?1, ?2)"
      " ON CONFLICT(name) DO UPDATE SET json = excluded.json",
      Texts({name, json}));
}

Status Journal::Remove(std::string_view name) {
  MutexLock lock(mutex_);
  return Run("DELETE FROM documents WHERE name = ?1", Texts({name}));
}

// --- Operations ---

Result<std::int64_t> Journal::BeginOperation(std::string_view kind, std::string_view actor,
                                             std::string_view reason) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  SB_RETURN_IF_ERROR(
      Run("INSERT INTO operations(kind, actor, reason, status, started_at, ended_at, detail)"
          " VALUES(?1, ?2, ?3, 'running', ?4, '', '{}')",
          Texts({kind, actor, reason, now})));
  const std::int64_t operation = sqlite3_last_insert_rowid(db_.get());
  Tell(operation);
  return operation;
}

Status Journal::BeginStep(std::int64_t operation, std::string_view step) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  const auto texts = Texts({step, now});
  SB_RETURN_IF_ERROR(
      Run("INSERT INTO steps(operation, name, status, started_at, ended_at, detail)"
          " VALUES(?3, ?1, 'running', ?2, '', '') ON CONFLICT(operation, name) DO UPDATE SET"
          " status = 'running', started_at = excluded.started_at, ended_at = '', detail = ''",
          [&](sqlite3_stmt* statement) {
            texts(statement);
            sqlite3_bind_int64(statement, 3, operation);
          }));
  Tell(operation, {std::string(step), "running", now, "", ""});
  return {};
}

Status Journal::EndStep(std::int64_t operation, std::string_view step, std::string_view status,
                        std::string_view detail) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  const auto texts = Texts({step, status, now, detail});
  SB_RETURN_IF_ERROR(Run(
      "UPDATE steps SET status = ?2, ended_at = ?3, detail = ?4 WHERE name = ?1 AND operation = ?5",
      [&](sqlite3_stmt* statement) {
        texts(statement);
        sqlite3_bind_int64(statement, 5, operation);
      }));
  Tell(operation, {std::string(step), std::string(status), "", now, std::string(detail)});
  return {};
}

Status Journal::EndOperation(std::int64_t operation, std::string_view status,
                             std::string_view detail_json) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  const auto texts = Texts({status, now, detail_json});
  SB_RETURN_IF_ERROR(
      Run("UPDATE operations SET status = ?1, ended_at = ?2, detail = ?3 WHERE id = ?4",
          [&](sqlite3_stmt* statement) {
            texts(statement);
            sqlite3_bind_int64(statement, 4, operation);
          }));
  Tell(operation);
  return {};
}

void Journal::SetListener(Listener listener) {
  MutexLock lock(mutex_);
  listener_ = std::move(listener);
}

// What cannot be read again is not told: the journal itself is written.
void Journal::Tell(std::int64_t operation, OperationStep step) {
  if (!listener_) return;
  OperationRecord record;
  const auto read = Run(
      std::string(kOperationColumns) + " WHERE id = ?1",
      [&](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, operation); },
      [&](sqlite3_stmt* row) { record = OperationOf(row); });
  if (!read || record.id == 0) return;
  if (!step.name.empty()) record.steps.push_back(std::move(step));
  listener_(record);
}

Result<std::vector<OperationRecord>> Journal::Operations(std::string_view kind,
                                                         std::size_t count_max) {
  MutexLock lock(mutex_);
  std::vector<OperationRecord> operations;
  const auto texts = Texts({kind});
  SB_RETURN_IF_ERROR(Run(
      std::string(kOperationColumns) + " WHERE ?1 = '' OR kind = ?1 ORDER BY id DESC LIMIT ?2",
      [&](sqlite3_stmt* statement) {
        texts(statement);
        sqlite3_bind_int64(statement, 2, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) { operations.push_back(OperationOf(row)); }));
  for (OperationRecord& operation : operations) {
    SB_RETURN_IF_ERROR(Run(
        "SELECT name, status, started_at, ended_at, detail FROM steps WHERE operation = ?1"
        " ORDER BY rowid",
        [&](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, operation.id); },
        [&](sqlite3_stmt* row) {
          operation.steps.push_back(
              {Column(row, 0), Column(row, 1), Column(row, 2), Column(row, 3), Column(row, 4)});
        }));
  }
  return operations;
}

// --- Audit ---

Status Journal::Audit(std::string_view actor, std::string_view action, std::string_view detail) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  return Run("INSERT INTO audit(time, actor, action, detail) VALUES(?1, ?2, ?3, ?4)",
             Texts({now, actor, action, detail}));
}

Result<std::vector<AuditEntry>> Journal::AuditTrail(std::size_t count_max) {
  MutexLock lock(mutex_);
  std::vector<AuditEntry> entries;
  SB_RETURN_IF_ERROR(Run(
      "SELECT id, time, actor, action, detail FROM audit ORDER BY id DESC LIMIT ?1",
      [&](sqlite3_stmt* statement) {
        sqlite3_bind_int64(statement, 1, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) {
        entries.push_back({sqlite3_column_int64(row, 0), Column(row, 1), Column(row, 2),
                           Column(row, 3), Column(row, 4)});
      }));
  return entries;
}

// --- Findings ---

Status Journal::AddFindings(std::string_view list, std::span<const Finding> findings) {
  MutexLock lock(mutex_);
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  for (const Finding& finding : findings) {
    SB_CHECK(!finding.key.empty(), "a finding names a record");
    SB_RETURN_IF_ERROR(
        Run("INSERT INTO findings(list, collection, detail, key) VALUES(?1, ?2, ?3, ?4)"
            " ON CONFLICT(list, collection, key) DO UPDATE SET detail = excluded.detail",
            [&](sqlite3_stmt* statement) {
              Texts({list, finding.collection, finding.detail})(statement);
              BindSqliteBlob(statement, 4, finding.key);
            }));
  }
  return transaction.Commit();
}

Status Journal::RemoveFinding(std::string_view list, std::string_view collection,
                              std::string_view key) {
  MutexLock lock(mutex_);
  return DeleteFinding(list, collection, key);
}

Status Journal::RemoveFindings(std::string_view list, std::span<const Finding> findings) {
  MutexLock lock(mutex_);
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  for (const Finding& finding : findings)
    SB_RETURN_IF_ERROR(DeleteFinding(list, finding.collection, finding.key));
  return transaction.Commit();
}

Status Journal::DeleteFinding(std::string_view list, std::string_view collection,
                              std::string_view key) {
  return Run("DELETE FROM findings WHERE list = ?1 AND collection = ?2 AND key = ?3",
             [&](sqlite3_stmt* statement) {
               Texts({list, collection})(statement);
               BindSqliteBlob(statement, 3, key);
             });
}

Status Journal::ClearFindings(std::string_view list) {
  MutexLock lock(mutex_);
  return Run("DELETE FROM findings WHERE list = ?1", Texts({list}));
}

Result<std::uint64_t> Journal::CountFindings(std::string_view list) {
  MutexLock lock(mutex_);
  std::int64_t count = 0;
  SB_RETURN_IF_ERROR(Run("SELECT count(*) FROM findings WHERE list = ?1", Texts({list}),
                         [&](sqlite3_stmt* row) { count = sqlite3_column_int64(row, 0); }));
  return static_cast<std::uint64_t>(count);
}

Result<std::vector<Finding>> Journal::Findings(std::string_view list,
                                               std::string_view after_collection,
                                               std::string_view after_key, std::size_t count_max) {
  MutexLock lock(mutex_);
  std::vector<Finding> findings;
  SB_RETURN_IF_ERROR(Run(
      "SELECT collection, key, detail FROM findings WHERE list = ?1 AND (collection, key) >"
      " (?2, ?3) ORDER BY collection, key LIMIT ?4",
      [&](sqlite3_stmt* statement) {
        Texts({list, after_collection})(statement);
        BindSqliteBlob(statement, 3, after_key);
        sqlite3_bind_int64(statement, 4, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) {
        findings.push_back({Column(row, 0), Column(row, 1), Column(row, 2)});
      }));
  return findings;
}

}  // namespace switchback
