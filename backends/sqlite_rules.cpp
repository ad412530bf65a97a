#include "backends/sqlite_rules.hpp"

#include <array>
#include <functional>
#include <string_view>

#include "backends/sqlite_authorizer.hpp"
#include "backends/sqlite_effect_writer.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_script.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

using Row = std::function<Status(sqlite3_stmt*)>;

// `name`, if there is one, is bound to ?1.
Status ForEachRow(sqlite3* db, std::string_view sql, std::string_view name, const Row& visit) {
  auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(statement.error());
  if (!name.empty()) {
    sqlite3_bind_text(statement->get(), 1, name.data(), static_cast<int>(name.size()),
                      SQLITE_STATIC);
  }
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(statement->get())) == SQLITE_ROW)
    SB_RETURN_IF_ERROR(visit(statement->get()));
  if (error != SQLITE_DONE) return FailSqlite(db, "look at the schema", error);
  return {};
}

std::string Text(sqlite3_stmt* row, int index) {
  return std::string(SqliteColumnBytes(row, index));
}

tl::unexpected<Error> Refuse(const std::string& table, const std::string& why) {
  return Fail(ErrorCode::kRefused, "collection table " + table + " " + why);
}

Status CheckColumn(const std::string& table, int index, sqlite3_stmt* row) {
  const std::string name = Text(row, 0);
  const bool is_not_null = sqlite3_column_int(row, 2) != 0;
  const int key_position = sqlite3_column_int(row, 3);
  const int hidden = sqlite3_column_int(row, 4);
  if (index < 2) {
    const bool is_kept = name == (index == 0 ? "key" : "value") && Text(row, 1) == "BLOB" &&
                         is_not_null && key_position == (index == 0 ? 1 : 0) && hidden == 0;
    if (!is_kept) return Refuse(table, "must keep its columns key and value as they are");
    return {};
  }
  constexpr int kVirtual = 2;
  constexpr int kStored = 3;
  if (hidden != kVirtual && hidden != kStored)
    return Refuse(table, "may only get generated columns, and " + name + " is not one");
  if (is_not_null)
    return Refuse(table, "may not get a column that is NOT NULL, as " + name + " is");
  return {};
}

Status CheckColumns(sqlite3* db, const std::string& table) {
  int count = 0;
  SB_RETURN_IF_ERROR(ForEachRow(
      db, "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid",
      table, [&](sqlite3_stmt* row) { return CheckColumn(table, count++, row); }));
  if (count < 2) return Refuse(table, "is not there any more");
  return {};
}

// Functions that fail, instead of giving NULL, for some values: date and time functions for 'now'
// in an index, abs for the smallest integer, the others when the result gets too large. JSON
// functions fail as well, for what is not JSON: that is tried.
constexpr std::array<std::string_view, 12> kPartialFunctions{
    "date", "time",    "datetime", "julianday", "unixepoch", "strftime",
    "abs",  "replace", "printf",   "format",    "zeroblob",  "group_concat"};
constexpr std::array<std::string_view, 4> kPartialOperators{"LIKE", "GLOB", "REGEXP", "MATCH"};

// Of the table and of each index on it.
Status CheckDefinition(const std::string& table, const std::string& sql) {
  if (HasSqlWord(sql, "CHECK"))
    return Refuse(table, "may not get a CHECK: a record must never be refused");
  for (const std::string_view name : kPartialFunctions) {
    if (HasSqlCall(sql, name))
      return Refuse(table, "may not use " + std::string(name) +
                               "() in a column or an index: it fails for some values");
  }
  for (const std::string_view name : kPartialOperators) {
    if (HasSqlWord(sql, name) || HasSqlCall(sql, name))
      return Refuse(table, "may not use " + std::string(name) +
                               " in a column or an index: it fails for some values");
  }
  return {};
}

Status CheckTable(sqlite3* db, const std::string& table) {
  SB_RETURN_IF_ERROR(CheckColumns(db, table));
  SB_RETURN_IF_ERROR(
      ForEachRow(db, "SELECT type, wr, strict FROM pragma_table_list(?1) WHERE schema = 'main'",
                 table, [&](sqlite3_stmt* row) -> Status {
                   if (Text(row, 0) == "table" && sqlite3_column_int(row, 1) == 1) return {};
                   return Refuse(table, "must stay a table WITHOUT ROWID");
                 }));
  SB_RETURN_IF_ERROR(ForEachRow(
      db, "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin <> 'pk'", table,
      [&](sqlite3_stmt* row) -> Status {
        return Refuse(table, "may not get a unique index, as " + Text(row, 0) +
                                 " is: two records may hold the same");
      }));
  SB_RETURN_IF_ERROR(ForEachRow(db, "SELECT \"table\" FROM pragma_foreign_key_list(?1)", table,
                                [&](sqlite3_stmt* row) -> Status {
                                  return Refuse(
                                      table, "may not have a foreign key, as to " + Text(row, 0));
                                }));
  return ForEachRow(
      db,
      "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'index') AND tbl_name = ?1"
      " AND sql IS NOT NULL",
      table, [&](sqlite3_stmt* row) { return CheckDefinition(table, Text(row, 0)); });
}

// A record goes whenever the log says so, whoever refers to it.
Status CheckForeignKeysTo(sqlite3* db, const std::string& table) {
  return ForEachRow(db,
                    "SELECT s.name FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f"
                    " WHERE s.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE",
                    table, [&](sqlite3_stmt* row) -> Status {
                      return Refuse(
                          table, "may not be referred to by a foreign key, as by " + Text(row, 0));
                    });
}

Status CheckTriggers(sqlite3* db) {
  return ForEachRow(db, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'", "",
                    [&](sqlite3_stmt* row) -> Status {
                      if (!HasSqlWord(Text(row, 1), "RAISE")) return {};
                      return Fail(ErrorCode::kRefused,
                                  "trigger " + Text(row, 0) +
                                      " may not RAISE: a record must never be refused or skipped");
                    });
}

// --- Trying ---

struct ProbeValue {
  const char* kind;
  std::string_view bytes;
};

constexpr std::array<ProbeValue, 16> kProbeValues{{
    {"the empty value", ""},
    {"bytes that are not UTF-8", std::string_view("\xff\xfe\x80\xc0", 4)},
    {"a NUL byte", std::string_view("\0", 1)},
    {"a broken JSON object", "{"},
    {"JSON cut short", R"({"a":)"},
    {"JSON and a NUL byte", std::string_view("{\"a\":1}\0x", 9)},
    {"plain text", "plain text"},
    {"a JSON array", "[1,\"two\",null]"},
    {"an empty JSON object", "{}"},
    {"a JSON object", R"({"a":{"b":[1,2]},"c":"d","email":1,"name":{},"id":-1.5e300})"},
    {"a JSON string", "\"text\""},
    {"JSON null", "null"},
    {"a large number", "9223372036854775808"},
    {"the smallest integer", "-9223372036854775808"},
    {"a quote", "'"},
    {"a wildcard", "%_*?["},
}};
constexpr std::string_view kProbeKeys[] = {std::string_view("\0switchback probe 1", 19),
                                           std::string_view("\xff\xffswitchback probe 2", 20)};

// One collection's statements, as its writer prepares them.
class TableProbe {
 public:
  TableProbe(sqlite3* db, const std::string& table, const std::vector<std::string>& all_tables)
      : db_(db), table_(table), all_tables_(all_tables) {}

  Status Run() {
    SB_RETURN_IF_ERROR(Prepare());
    for (const ProbeValue& value : kProbeValues) {
      for (const std::string_view key : kProbeKeys) {
        // Twice: what a trigger keeps of the first must not stand in the way of the second.
        for (int round = 0; round < 2; ++round) {
          SB_RETURN_IF_ERROR(Step(upsert_.get(), key, &value, "put"));
          SB_RETURN_IF_ERROR(Expect(key, &value));
        }
      }
    }
    for (const std::string_view key : kProbeKeys) {
      SB_RETURN_IF_ERROR(Step(erase_.get(), key, nullptr, "deleted"));
      SB_RETURN_IF_ERROR(Expect(key, nullptr));
    }
    return {};
  }

 private:
  Status Prepare() {
    const SqliteAuthorizer authorizer(db_, SqlPolicy::kProbe, all_tables_);
    for (const auto& [statement, sql] :
         {std::pair{&upsert_, SqliteUpsert(table_)}, std::pair{&erase_, SqliteErase(table_)},
          std::pair{&clear_, SqliteClear(table_)},
          std::pair{&select_, "SELECT value FROM " + QuoteSqlite(table_) + " WHERE key = ?1"}}) {
      auto prepared = PrepareSqlite(db_, sql);
      if (!prepared)
        return Fail(
            ErrorCode::kRefused,
            "records of " + table_ + " could not be written any more: " +
                (authorizer.refusal().empty() ? prepared.error().message : authorizer.refusal()));
      *statement = *std::move(prepared);
    }
    return {};
  }

  tl::unexpected<Error> RefuseValue(const ProbeValue* value, const char* what,
                                    const std::string& why) {
    return Fail(ErrorCode::kRefused, std::string("a record of ") + table_ + " with " +
                                         (value == nullptr ? "any value" : value->kind) +
                                         " could not be " + what + " any more: " + why);
  }

  Status Step(sqlite3_stmt* statement, std::string_view key, const ProbeValue* value,
              const char* what) {
    const StatementScope scope(statement);
    int error = BindSqliteBlob(statement, 1, key);
    if (error == SQLITE_OK && value != nullptr) error = BindSqliteBlob(statement, 2, value->bytes);
    if (error == SQLITE_OK) error = sqlite3_step(statement);
    if (error != SQLITE_DONE) return RefuseValue(value, what, sqlite3_errmsg(db_));
    return {};
  }

  // The record is as it was written; null: it is gone.
  Status Expect(std::string_view key, const ProbeValue* value) {
    const StatementScope scope(select_.get());
    int error = BindSqliteBlob(select_.get(), 1, key);
    if (error == SQLITE_OK) error = sqlite3_step(select_.get());
    if (error == SQLITE_DONE && value == nullptr) return {};
    if (error == SQLITE_ROW && value != nullptr &&
        SqliteColumnBytes(select_.get(), 0) == value->bytes)
      return {};
    return RefuseValue(value, value == nullptr ? "deleted" : "stored as it is",
                       "it reads otherwise");
  }

  sqlite3* const db_;
  const std::string& table_;
  const std::vector<std::string>& all_tables_;
  StatementHandle upsert_;
  StatementHandle erase_;
  StatementHandle clear_;  // prepared only: it would empty the table
  StatementHandle select_;
};

}  // namespace

Status CheckSqliteRules(sqlite3* db, const std::vector<std::string>& collection_tables) {
  for (const std::string& table : collection_tables) {
    SB_RETURN_IF_ERROR(CheckTable(db, table));
    SB_RETURN_IF_ERROR(CheckForeignKeysTo(db, table));
  }
  return CheckTriggers(db);
}

Status ProbeSqliteWrites(sqlite3* db, const std::vector<std::string>& collection_tables) {
  SB_CHECK(sqlite3_get_autocommit(db) == 0, "a probe is undone with its transaction");
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "SAVEPOINT switchback_probe"));
  for (const std::string& table : collection_tables)
    SB_RETURN_IF_ERROR(TableProbe(db, table, collection_tables).Run());
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "ROLLBACK TO switchback_probe"));
  return ExecuteSqlite(db, "RELEASE switchback_probe");
}

}  // namespace switchback
