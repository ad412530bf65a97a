#include "backends/sqlite_schema.hpp"

#include <algorithm>

#include "backends/sqlite_authorizer.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_read_view.hpp"
#include "backends/sqlite_rules.hpp"
#include "backends/sqlite_script.hpp"
#include "backends/sqlite_tables.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"

namespace switchback {
namespace {

constexpr const char* kMakeSchemaTable =
    "CREATE TABLE IF NOT EXISTS __switchback_schema(version INTEGER PRIMARY KEY, name TEXT NOT "
    "NULL,"
    " up_checksum TEXT NOT NULL, down_checksum TEXT NOT NULL, applied_at TEXT NOT NULL,"
    " down_sql TEXT NOT NULL)";

// What a migration must leave as it is, in one text: everything of ours with its definition, and
// where the collections' tables are. A table that was swapped for a new one has another root page.
Result<std::string> Fingerprint(sqlite3* db, const std::vector<std::string>& collection_tables) {
  std::string names;
  for (const std::string& table : collection_tables) {
    std::string quoted = "'";
    for (const char c : table) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    names += (names.empty() ? "" : ",") + quoted + "'";
  }
  return QuerySqliteText(
      db,
      "SELECT group_concat(line, char(10)) FROM (SELECT type || ' ' || name || ' ' || tbl_name ||"
      " ' ' || rootpage || ' ' || CASE WHEN substr(tbl_name, 1, 12) = '__switchback'"
      " THEN coalesce(sql, '') ELSE '' END AS line FROM sqlite_schema"
      " WHERE lower(substr(name, 1, 12)) = '__switchback'"
      " OR lower(substr(tbl_name, 1, 12)) = '__switchback'"
      " OR (type = 'table' AND name IN (" +
          names + ")) ORDER BY line)");
}

Status CheckForeignKeys(sqlite3* db) {
  auto violation =
      QuerySqliteText(db,
                      "SELECT \"table\" || ' refers to a missing row of ' || parent FROM"
                      " pragma_foreign_key_check LIMIT 1");
  if (!violation) return Fail(violation.error());
  if (!violation->empty()) return Fail(ErrorCode::kRefused, "foreign keys: " + *violation);
  return {};
}

// Of the direction's next version and no other.
Status CheckTurn(sqlite3* db, const SchemaChange& change) {
  auto versions = ReadSchemaVersions(db);
  if (!versions) return Fail(versions.error());
  const std::uint64_t now = versions->empty() ? 0 : versions->back().version;
  const std::uint64_t expected = change.direction == SchemaDirection::kUp ? now + 1 : now;
  if (change.version.version == expected && expected != 0) return {};
  return Fail(ErrorCode::kConflict, "the store's schema has version " + std::to_string(now) +
                                        ": it is not the turn of " + change.origin);
}

Status RunStatements(sqlite3* db, const std::vector<std::string>& collection_tables,
                     const SchemaChange& change, const SqlBudget& budget) {
  auto before = Fingerprint(db, collection_tables);
  if (!before) return Fail(before.error());
  {
    const SqliteAuthorizer authorizer(db, SqlPolicy::kMigration, collection_tables);
    const SqliteInterrupter interrupter(db, budget);
    SB_RETURN_IF_ERROR(RunSqliteScript(db, change.origin, change.sql, authorizer, interrupter));
  }
  auto after = Fingerprint(db, collection_tables);
  if (!after) return Fail(after.error());
  if (*before == *after) return {};
  return Fail(ErrorCode::kRefused,
              change.origin +
                  " moves, replaces or renames a collection's table, or touches "
                  "what is Switchback's own");
}

Status Remember(sqlite3* db, const SchemaChange& change) {
  const bool is_up = change.direction == SchemaDirection::kUp;
  auto statement = PrepareSqlite(
      db, is_up ? "INSERT INTO __switchback_schema(version, name, up_checksum, down_checksum,"
                  " applied_at, down_sql) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                : "DELETE FROM __switchback_schema WHERE version = ?1");
  if (!statement) return Fail(statement.error());
  sqlite3_stmt* row = statement->get();
  const SchemaVersion& version = change.version;
  sqlite3_bind_int64(row, 1, static_cast<std::int64_t>(version.version));
  if (is_up) {
    int index = 1;
    for (const std::string* text : {&version.name, &version.up_checksum, &version.down_checksum,
                                    &version.applied_at, &version.down_sql}) {
      sqlite3_bind_text(row, ++index, text->data(), static_cast<int>(text->size()), SQLITE_STATIC);
    }
  }
  const int error = sqlite3_step(row);
  if (error != SQLITE_DONE) return FailSqlite(db, "remember the schema's version", error);
  SB_CHECK(sqlite3_changes(db) == 1, "a version is written once and taken back once");
  return {};
}

// --- Validation ---

Status CheckPages(sqlite3* db) {
  auto found = QuerySqliteText(db, "PRAGMA quick_check(1)");
  if (!found) return Fail(found.error());
  if (*found != "ok") return Fail(ErrorCode::kCorruption, *found);
  return {};
}

Status CheckSetting(sqlite3* db, const char* pragma, const std::string& wanted) {
  auto value = QuerySqliteText(db, pragma);
  if (!value) return Fail(value.error());
  if (*value != wanted) return Fail(ErrorCode::kRefused, "is " + *value + ", not " + wanted);
  return {};
}

Status CheckOwnTables(sqlite3* db) {
  for (const char* table : {kSqliteStateTable, kSqlitePairsTable}) {
    auto found = HasSqliteName(db, table);
    if (!found) return Fail(found.error());
    if (!*found) return Fail(ErrorCode::kRefused, std::string(table) + " is missing");
  }
  auto state = ReadSqliteState(db);
  if (!state) return Fail(state.error());
  if (state->log_id.empty()) return Fail(ErrorCode::kRefused, "the store's state is missing");
  auto versions = ReadSchemaVersions(db);
  if (!versions) return Fail(versions.error());
  auto extra = QuerySqliteText(
      db,
      "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL AND"
      " tbl_name IN ('__switchback', '__switchback_collections', '__switchback_schema')");
  if (!extra) return Fail(extra.error());
  if (!extra->empty()) return Fail(ErrorCode::kRefused, *extra + " is on a table of ours");
  return {};
}

Status TryWrites(sqlite3* db, const std::vector<std::string>& collection_tables) {
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "BEGIN IMMEDIATE"));
  auto tried = ProbeSqliteWrites(db, collection_tables);
  if (sqlite3_get_autocommit(db) == 0) SB_RETURN_IF_ERROR(ExecuteSqlite(db, "ROLLBACK"));
  return tried;
}

}  // namespace

Result<std::vector<SchemaVersion>> ReadSchemaVersions(sqlite3* db) {
  std::vector<SchemaVersion> versions;
  auto has_table = HasSqliteName(db, kSqliteSchemaTable);
  if (!has_table) return Fail(has_table.error());
  if (!*has_table) return versions;
  auto statement = PrepareSqlite(db,
                                 "SELECT version, name, up_checksum, down_checksum, applied_at,"
                                 " down_sql FROM __switchback_schema ORDER BY version");
  if (!statement) return Fail(statement.error());
  sqlite3_stmt* row = statement->get();
  const auto text = [&](int index) { return std::string(SqliteColumnBytes(row, index)); };
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(row)) == SQLITE_ROW) {
    const auto version = static_cast<std::uint64_t>(sqlite3_column_int64(row, 0));
    if (version != versions.size() + 1)
      return Fail(ErrorCode::kCorruption,
                  "the schema's versions have a gap before " + std::to_string(version));
    versions.push_back({version, text(1), text(2), text(3), text(4), text(5)});
  }
  if (error != SQLITE_DONE) return FailSqlite(db, "read the schema's versions", error);
  return versions;
}

Status ChangeSqliteSchema(sqlite3* db, const std::vector<std::string>& collection_tables,
                          const SchemaChange& change, const SqlBudget& budget) {
  SB_CHECK(sqlite3_get_autocommit(db) == 0, "a change belongs to a transaction");
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, kMakeSchemaTable));
  SB_RETURN_IF_ERROR(CheckTurn(db, change));
  SB_RETURN_IF_ERROR(RunStatements(db, collection_tables, change, budget));
  auto allowed = CheckSqliteRules(db, collection_tables);
  if (allowed) allowed = CheckForeignKeys(db);
  if (allowed) allowed = ProbeSqliteWrites(db, collection_tables);
  if (!allowed) return Fail(WithContext(allowed.error(), change.origin));
  SB_RETURN_IF_ERROR(Failpoint("schema.changed"));
  return Remember(db, change);
}

Result<StoreReport> ValidateSqlite(sqlite3* db, const std::vector<std::string>& collection_tables,
                                   const SqlBudget& budget) {
  SqliteInterrupter interrupter(db, budget);
  StoreReport report;
  const auto look = [&](const char* name, const Status& found) {
    report.checks.push_back({name, found.has_value(), found ? "" : found.error().message});
  };
  look("pages", CheckPages(db));
  look("foreign_keys_on", CheckSetting(db, "PRAGMA foreign_keys", "1"));
  look("foreign_keys_clean", CheckForeignKeys(db));
  look("wal_mode", CheckSetting(db, "PRAGMA journal_mode", "wal"));
  look("own_tables", CheckOwnTables(db));
  look("collection_tables", CheckSqliteRules(db, collection_tables));
  look("writes", TryWrites(db, collection_tables));
  if (auto failed = Failpoint("schema.validate"); !failed) look("failpoint", failed);
  if (!interrupter.reason().empty())
    return Fail(ErrorCode::kCancelled, "validate: " + interrupter.reason());
  return report;
}

}  // namespace switchback
