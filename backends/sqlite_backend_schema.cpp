// SqliteBackend as an SqlStore, and the Reset that keeps what migrations made.
#include "backends/sqlite_backend.hpp"
#include "backends/sqlite_copy.hpp"
#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_schema.hpp"
#include "backends/sqlite_seal.hpp"
#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// What one transaction deletes when a store is emptied: its pages must not fill the WAL at once.
constexpr const char* kEmptiedAtOnce = "10000";

}  // namespace

Result<std::vector<SchemaVersion>> SqliteBackend::SchemaVersions() {
  SB_RETURN_IF_ERROR(CheckOpen());
  return ReadSchemaVersions(db_.get());
}

Status SqliteBackend::ChangeSchema(const SchemaChange& change, const SqlBudget& budget) {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (is_foreign_) return CheckDataVersion();
  SwitchTriggersOn();
  SB_RETURN_IF_ERROR(BeginWrite());
  auto state = ReadSqliteState(db_.get());
  Status changed;
  if (!state) changed = Fail(state.error());
  if (changed)
    changed = ChangeSqliteSchema(db_.get(), database_->tables.ExistingNames(), change, budget);
  if (!changed) {
    Rollback();
    return changed;
  }
  SB_RETURN_IF_ERROR(Commit(*state));
  LogInfo("SQLite: {} is applied", change.origin);
  return CheckpointIfDue();
}

Result<StoreReport> SqliteBackend::Validate(const SqlBudget& budget) {
  SB_RETURN_IF_ERROR(CheckOpen());
  auto report = ValidateSqlite(db_.get(), database_->tables.ExistingNames(), budget);
  if (report && are_triggers_off_)
    report->checks.push_back(
        {"triggers", false, "one failed for a record, and all are off: see the server's log"});
  return report;
}

Status SqliteBackend::CopyTo(const std::string& path, const SqlBudget& budget) {
  SB_RETURN_IF_ERROR(CheckOpen());
  return WriteSqliteCopy(db_.get(), path, budget);
}

Status SqliteBackend::PutBack(const std::string& path) {
  SB_RETURN_IF_ERROR(CheckOpen());
  if (is_foreign_) return CheckDataVersion();
  // Whatever happens now, only what is read anew counts: the tables, the position, the WAL's size.
  auto put_back = PutSqliteCopyBack(db_.get(), path);
  SB_RETURN_IF_ERROR(Reopen());
  return put_back;
}

// True when the newest failure may be a trigger's and a second try without triggers is worth it.
// The migration was tried with values of every kind, but no trial covers them all.
bool SqliteBackend::SwitchTriggersOff() {
  const int error = sqlite3_errcode(db_.get()) & 0xff;
  if (are_triggers_off_ || (error != SQLITE_CONSTRAINT && error != SQLITE_ERROR)) return false;
  const std::string message = sqlite3_errmsg(db_.get());
  auto triggers =
      QuerySqliteText(db_.get(), "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'");
  if (!triggers || *triggers == "0") return false;
  Rollback();
  if (is_broken_) return false;
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  are_triggers_off_ = true;
  LogError(
      "SQLite: a trigger failed for a record ({}): triggers are off until the store is opened "
      "again or its schema changes, and what they keep is not complete",
      message);
  return true;
}

void SqliteBackend::SwitchTriggersOn() {
  if (!are_triggers_off_) return;
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
  are_triggers_off_ = false;
}

Result<bool> SqliteBackend::HasSchemaToKeep() {
  if (db_ == nullptr) return false;
  auto versions = ReadSchemaVersions(db_.get());
  if (!versions) return Fail(versions.error());
  return !versions->empty();
}

Status SqliteBackend::EmptyTable(const std::string& table) {
  const std::string name = QuoteSqlite(table);
  const std::string some = "DELETE FROM " + name + " WHERE key IN (SELECT key FROM " + name +
                           " LIMIT " + kEmptiedAtOnce + ")";
  while (true) {
    SB_RETURN_IF_ERROR(BeginWrite());
    auto emptied = ExecuteSqlite(db_.get(), some);
    const bool is_empty = emptied && sqlite3_changes(db_.get()) == 0;
    if (emptied) emptied = ExecuteSqlite(db_.get(), "COMMIT");
    if (!emptied) {
      Rollback();
      return emptied;
    }
    SB_RETURN_IF_ERROR(CheckpointIfDue());
    if (is_empty) return {};
  }
}

// In this order, so that a crash in between leaves a fill that was interrupted in an empty range,
// which begins by emptying.
Result<bool> SqliteBackend::EmptyCollections() {
  if (is_broken_ || is_foreign_) SB_RETURN_IF_ERROR(AcceptForeign());
  auto state = State();
  if (!state) return Fail(state.error());
  if (!state->log_id.empty()) {
    StoreState emptying = *state;
    emptying.applied_sequence = 0;
    emptying.is_filling = true;
    emptying.fill_collection.clear();
    emptying.fill_key.clear();
    SB_RETURN_IF_ERROR(Apply({}, emptying));
  }
  for (const std::string& table : database_->tables.ExistingNames())
    SB_RETURN_IF_ERROR(EmptyTable(table));
  SB_RETURN_IF_ERROR(BeginWrite());
  write_state_.reset();
  auto cleared = ExecuteSqlite(db_.get(), std::string("DELETE FROM ") + kSqliteStateTable);
  if (cleared) cleared = ExecuteSqlite(db_.get(), "COMMIT");
  if (cleared) return true;
  Rollback();
  return Fail(cleared.error());
}

}  // namespace switchback
