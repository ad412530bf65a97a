#include "migration/journal.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "migration/history_record.hpp"

namespace switchback {
namespace {

constexpr const char* kVersionWithoutHistory = "1";
constexpr const char* kVersion = "2";

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

// Of a row of kOperationColumns.
constexpr std::string_view kOperationColumns =
    "SELECT id, kind, actor, reason, status, started_at, ended_at, detail FROM operations";
OperationRecord OperationOf(sqlite3_stmt* row) {
  return {sqlite3_column_int64(row, 0),
          SqlColumn(row, 1),
          SqlColumn(row, 2),
          SqlColumn(row, 3),
          SqlColumn(row, 4),
          SqlColumn(row, 5),
          SqlColumn(row, 6),
          SqlColumn(row, 7),
          {}};
}

constexpr std::string_view kAuditColumns = "SELECT id, time, actor, action, detail FROM audit";
AuditEntry AuditEntryOf(sqlite3_stmt* row) {
  return {sqlite3_column_int64(row, 0), SqlColumn(row, 1), SqlColumn(row, 2), SqlColumn(row, 3),
          SqlColumn(row, 4)};
}

Status Drop(const Result<std::int64_t>& number) {
  return number ? Status{} : Status(Fail(number.error()));
}

}  // namespace

// What ended before there was a history, in the order in which it did. The first entry says that
// nothing vouches for these.
Status Journal::TakeUpPast() {
  struct Past {
    bool is_operation;
    std::int64_t id;
  };
  std::vector<Past> past;
  std::size_t operation_count = 0;
  SB_RETURN_IF_ERROR(
      Run("SELECT 1, id, ended_at AS time FROM operations WHERE status <> 'running' UNION ALL"
          " SELECT 0, id, time FROM audit ORDER BY time, 1, id",
          {}, [&](sqlite3_stmt* row) {
            past.push_back({sqlite3_column_int(row, 0) == 1, sqlite3_column_int64(row, 1)});
            operation_count += past.back().is_operation ? 1 : 0;
          }));
  if (past.empty()) return {};
  const nlohmann::ordered_json begun{
      {"text",
       "The history begins here. What follows up to the number of entries named was taken "
       "up from a journal that had none: no hash vouches for its past."},
      {"entries", past.size()},
      {"operations", operation_count}};
  SB_RETURN_IF_ERROR(Drop(history_.Append(Now(), "history", begun.dump())));
  for (const Past& one : past)
    SB_RETURN_IF_ERROR(one.is_operation ? AppendOperation(one.id) : AppendAudit(one.id));
  return {};
}

Status Journal::Upgrade() {
  MutexLock lock(mutex_);
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  SB_RETURN_IF_ERROR(history_.Make());
  SB_RETURN_IF_ERROR(TakeUpPast());
  SB_RETURN_IF_ERROR(Failpoint("journal.upgrade"));
  SB_RETURN_IF_ERROR(ExecuteSqlite(db_.get(), std::string("PRAGMA user_version=") + kVersion));
  return transaction.Commit();
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
    version = kVersionWithoutHistory;
  }
  std::unique_ptr<Journal> journal(new Journal(*std::move(db), clock));
  if (*version == kVersionWithoutHistory) {
    if (auto upgraded = journal->Upgrade(); !upgraded)
      return Fail(WithContext(upgraded.error(), "begin the history in " + path));
  } else if (*version != kVersion) {
    return Fail(ErrorCode::kUnsupported, path + " has version " + *version +
                                             ", which this switchback does not know: use the "
                                             "version that wrote it, or a newer one");
  }
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::OpenToRead(const std::string& path, const Clock& clock) {
  auto db = OpenSqliteToRead(path);
  if (!db) return Fail(WithContext(db.error(), "open the journal of operations"));
  auto version = QuerySqliteText(db->get(), "PRAGMA user_version");
  if (!version) return Fail(WithContext(version.error(), "open the journal " + path));
  if (*version != kVersion)
    return Fail(ErrorCode::kUnsupported,
                path + " has version " + *version + " and no history that this switchback can " +
                    "read: start the server on it once, which takes up an older one");
  return std::unique_ptr<Journal>(new Journal(*std::move(db), clock));
}

std::string Journal::Now() const {
  return FormatUtc(clock_.WallNow());
}

Status Journal::Run(std::string_view sql, const SqlBind& bind, const SqlRow& row) {
  return RunSql(db_.get(), sql, bind, row);
}

// --- Documents ---

Result<std::optional<std::string>> Journal::Load(std::string_view name) {
  MutexLock lock(mutex_);
  std::optional<std::string> json;
  SB_RETURN_IF_ERROR(Run("SELECT json FROM documents WHERE name = ?1", SqlTexts({name}),
                         [&](sqlite3_stmt* row) { json = SqlColumn(row, 0); }));
  return json;
}

Status Journal::Store(std::string_view name, std::string_view json) {
  MutexLock lock(mutex_);
  return Run(
      "INSERT INTO documents(name, json) VALUES(?1, ?2)"
      " ON CONFLICT(name) DO UPDATE SET json = excluded.json",
      SqlTexts({name, json}));
}

Status Journal::Remove(std::string_view name) {
  MutexLock lock(mutex_);
  return Run("DELETE FROM documents WHERE name = ?1", SqlTexts({name}));
}

// --- Operations ---

Result<std::int64_t> Journal::BeginOperation(std::string_view kind, std::string_view actor,
                                             std::string_view reason) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  SB_RETURN_IF_ERROR(
      Run("INSERT INTO operations(kind, actor, reason, status, started_at, ended_at, detail)"
          " VALUES(?1, ?2, ?3, 'running', ?4, '', '{}')",
          SqlTexts({kind, actor, reason, now})));
  const std::int64_t operation = sqlite3_last_insert_rowid(db_.get());
  Tell(operation);
  return operation;
}

Status Journal::BeginStep(std::int64_t operation, std::string_view step) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  const auto texts = SqlTexts({step, now});
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
  const auto texts = SqlTexts({step, status, now, detail});
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
  const auto texts = SqlTexts({status, now, detail_json});
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  SB_RETURN_IF_ERROR(
      Run("UPDATE operations SET status = ?1, ended_at = ?2, detail = ?3 WHERE id = ?4",
          [&](sqlite3_stmt* statement) {
            texts(statement);
            sqlite3_bind_int64(statement, 4, operation);
          }));
  if (sqlite3_changes(db_.get()) == 0) return {};  // there is none
  SB_RETURN_IF_ERROR(Failpoint("journal.ended"));
  SB_RETURN_IF_ERROR(AppendOperation(operation));
  SB_RETURN_IF_ERROR(Failpoint("journal.appended"));
  SB_RETURN_IF_ERROR(transaction.Commit());
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
  auto record = Find(operation);
  if (!record) return;
  record->steps.clear();
  if (!step.name.empty()) record->steps.push_back(std::move(step));
  listener_(*record);
}

Status Journal::LoadSteps(OperationRecord& operation) {
  return Run(
      "SELECT name, status, started_at, ended_at, detail FROM steps WHERE operation = ?1"
      " ORDER BY rowid",
      [&](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, operation.id); },
      [&](sqlite3_stmt* row) {
        operation.steps.push_back({SqlColumn(row, 0), SqlColumn(row, 1), SqlColumn(row, 2),
                                   SqlColumn(row, 3), SqlColumn(row, 4)});
      });
}

Result<OperationRecord> Journal::Find(std::int64_t operation) {
  OperationRecord record;
  SB_RETURN_IF_ERROR(Run(
      std::string(kOperationColumns) + " WHERE id = ?1",
      [&](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, operation); },
      [&](sqlite3_stmt* row) { record = OperationOf(row); }));
  if (record.id == 0)
    return Fail(ErrorCode::kNotFound, "there is no operation " + std::to_string(operation) +
                                          ": `switchback history` lists them");
  SB_RETURN_IF_ERROR(LoadSteps(record));
  return record;
}

Result<OperationRecord> Journal::Operation(std::int64_t id) {
  MutexLock lock(mutex_);
  return Find(id);
}

Result<std::vector<OperationRecord>> Journal::Operations(std::string_view kind,
                                                         std::size_t count_max) {
  MutexLock lock(mutex_);
  std::vector<OperationRecord> operations;
  const auto texts = SqlTexts({kind});
  SB_RETURN_IF_ERROR(Run(
      std::string(kOperationColumns) + " WHERE ?1 = '' OR kind = ?1 ORDER BY id DESC LIMIT ?2",
      [&](sqlite3_stmt* statement) {
        texts(statement);
        sqlite3_bind_int64(statement, 2, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) { operations.push_back(OperationOf(row)); }));
  for (OperationRecord& operation : operations) SB_RETURN_IF_ERROR(LoadSteps(operation));
  return operations;
}

// --- Audit ---

Status Journal::Audit(std::string_view actor, std::string_view action, std::string_view detail) {
  MutexLock lock(mutex_);
  const std::string now = Now();
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  SB_RETURN_IF_ERROR(Run("INSERT INTO audit(time, actor, action, detail) VALUES(?1, ?2, ?3, ?4)",
                         SqlTexts({now, actor, action, detail})));
  SB_RETURN_IF_ERROR(AppendAudit(sqlite3_last_insert_rowid(db_.get())));
  return transaction.Commit();
}

Result<std::vector<AuditEntry>> Journal::AuditTrail(std::size_t count_max) {
  MutexLock lock(mutex_);
  std::vector<AuditEntry> entries;
  SB_RETURN_IF_ERROR(Run(
      std::string(kAuditColumns) + " ORDER BY id DESC LIMIT ?1",
      [&](sqlite3_stmt* statement) {
        sqlite3_bind_int64(statement, 1, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) { entries.push_back(AuditEntryOf(row)); }));
  return entries;
}

// --- History ---

Status Journal::AppendOperation(std::int64_t id) {
  const auto record = Find(id);
  if (!record) return Fail(record.error());
  return Drop(history_.Append(record->ended_at, record->kind, OperationHistoryJson(*record)));
}

Status Journal::AppendAudit(std::int64_t id) {
  AuditEntry entry;
  SB_RETURN_IF_ERROR(Run(
      std::string(kAuditColumns) + " WHERE id = ?1",
      [&](sqlite3_stmt* statement) { sqlite3_bind_int64(statement, 1, id); },
      [&](sqlite3_stmt* row) { entry = AuditEntryOf(row); }));
  return Drop(history_.Append(entry.time, kAuditKind, AuditHistoryJson(entry)));
}

Result<std::int64_t> Journal::AddNote(const OperationNote& note) {
  if (!IsNoteKind(note.kind))
    return Fail(ErrorCode::kInvalidArgument,
                "a note is a root-cause, a lesson or a note, not \"" + note.kind + "\"");
  if (note.text.empty() || note.text.size() > kNoteBytesMax)
    return Fail(ErrorCode::kInvalidArgument, "a note has 1 to " + std::to_string(kNoteBytesMax) +
                                                 " bytes, not " + std::to_string(note.text.size()));
  MutexLock lock(mutex_);
  SqliteTransaction transaction(db_.get());
  SB_RETURN_IF_ERROR(transaction.Begin());
  if (const auto record = Find(note.operation); !record) return Fail(record.error());
  auto number = history_.Append(Now(), kNoteKind, NoteHistoryJson(note));
  if (!number) return number;
  SB_RETURN_IF_ERROR(transaction.Commit());
  return number;
}

Result<std::vector<HistoryEntry>> Journal::ReadHistory(const HistoryQuery& query) {
  MutexLock lock(mutex_);
  return history_.Read(query);
}

// In pieces, so that what goes on need not wait for a long history.
Result<HistoryVerdict> Journal::VerifyHistory(std::string_view expected_head) {
  constexpr std::size_t kPiece = 500;
  HistoryChain chain(expected_head);
  std::int64_t after = INT64_MIN;
  while (true) {
    MutexLock lock(mutex_);
    const auto entries = history_.ReadOn(after, kPiece);
    if (!entries) return Fail(entries.error());
    for (const HistoryEntry& entry : *entries) chain.Add(entry);
    if (entries->size() == kPiece) {
      after = entries->back().number;
      continue;
    }
    const auto untold = history_.FindUntold();
    if (!untold) return Fail(untold.error());
    if (!untold->empty()) chain.Miss(*untold);
    return chain.Finish();
  }
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
              SqlTexts({list, finding.collection, finding.detail})(statement);
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
               SqlTexts({list, collection})(statement);
               BindSqliteBlob(statement, 3, key);
             });
}

Status Journal::ClearFindings(std::string_view list) {
  MutexLock lock(mutex_);
  return Run("DELETE FROM findings WHERE list = ?1", SqlTexts({list}));
}

Result<std::uint64_t> Journal::CountFindings(std::string_view list) {
  MutexLock lock(mutex_);
  std::int64_t count = 0;
  SB_RETURN_IF_ERROR(Run("SELECT count(*) FROM findings WHERE list = ?1", SqlTexts({list}),
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
        SqlTexts({list, after_collection})(statement);
        BindSqliteBlob(statement, 3, after_key);
        sqlite3_bind_int64(statement, 4, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) {
        findings.push_back({SqlColumn(row, 0), SqlColumn(row, 1), SqlColumn(row, 2)});
      }));
  return findings;
}

}  // namespace switchback
