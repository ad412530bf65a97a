#include "backends/sqlite_authorizer.hpp"

#include <algorithm>
#include <array>

#include "backends/collection.hpp"
#include "common/check.hpp"

namespace switchback {
namespace {

bool IsSame(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         sqlite3_strnicmp(a.data(), b.data(), static_cast<int>(a.size())) == 0;
}

template <std::size_t kSize>
bool IsOneOf(std::string_view name, const std::array<std::string_view, kSize>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view one) { return IsSame(name, one); });
}

// They tell about the schema and change nothing. FTS5 asks for data_version by itself.
bool IsHarmlessPragma(std::string_view name) {
  static constexpr std::array<std::string_view, 11> kHarmless{
      "table_info",  "table_xinfo",     "table_list",       "index_list",
      "index_info",  "index_xinfo",     "foreign_key_list", "foreign_key_check",
      "quick_check", "integrity_check", "data_version"};
  return IsOneOf(name, kHarmless);
}

bool IsKnownModule(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kModules{"fts5", "fts4", "rtree"};
  return IsOneOf(name, kModules);
}

bool IsForbiddenFunction(std::string_view name) {
  static constexpr std::array<std::string_view, 2> kForbidden{"load_extension", "fts3_tokenizer"};
  return IsOneOf(name, kForbidden);
}

std::string JudgeQuery(int action, std::string_view first, std::string_view second) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return "";
    case SQLITE_FUNCTION:
      return IsForbiddenFunction(second) ? "the function " + std::string(second) + " is not allowed"
                                         : "";
    case SQLITE_PRAGMA:
      return IsHarmlessPragma(first) ? "" : "PRAGMA " + std::string(first) + " is not allowed";
    // What SQLite asks when it learns the columns of a virtual table (json_each, FTS5); the
    // statement is never run. One of a person's would end at the read-only connection.
    case SQLITE_UPDATE: return IsSame(first, "sqlite_master") ? "" : "a query may only read";
    default: return "a query may only read";
  }
}

}  // namespace

bool IsOwnSqliteName(std::string_view name) {
  return name.size() >= kReservedName.size() &&
         IsSame(name.substr(0, kReservedName.size()), kReservedName);
}

SqliteAuthorizer::SqliteAuthorizer(sqlite3* db, SqlPolicy policy,
                                   std::vector<std::string> collection_tables)
    : db_(db), policy_(policy), collection_tables_(std::move(collection_tables)) {
  const int error = sqlite3_set_authorizer(db_, OnAction, this);
  SB_CHECK(error == SQLITE_OK, "an authorizer can always be set");
}

SqliteAuthorizer::~SqliteAuthorizer() {
  sqlite3_set_authorizer(db_, nullptr, nullptr);
}

bool SqliteAuthorizer::IsCollection(std::string_view table) const {
  return std::any_of(collection_tables_.begin(), collection_tables_.end(),
                     [&](const std::string& one) { return IsSame(one, table); });
}

std::string SqliteAuthorizer::JudgeChange(std::string_view table) const {
  if (IsOwnSqliteName(table)) return std::string(table) + " is Switchback's own";
  if (IsCollection(table))
    return "the records of " + std::string(table) +
           " belong to the commit log: change them over the service";
  return "";
}

// Making, altering and dropping. The arguments are the object and what it belongs to, in an order
// that differs by action.
std::string SqliteAuthorizer::JudgeObject(int action, std::string_view first,
                                          std::string_view second) const {
  for (const std::string_view name : {first, second}) {
    if (IsOwnSqliteName(name))
      return "names that begin with " + std::string(kReservedName) + " are Switchback's own";
  }
  if (action == SQLITE_DROP_TABLE && IsCollection(first))
    return std::string(first) + " is a collection: it goes when its records go";
  if (action == SQLITE_CREATE_VTABLE && !IsKnownModule(second))
    return "virtual tables of the module " + std::string(second) + " are not allowed";
  return "";
}

std::string SqliteAuthorizer::JudgeMigration(int action, std::string_view first,
                                             std::string_view second) const {
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH: return "ATTACH, DETACH and VACUUM are not allowed in a migration";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      return "a migration is one transaction: BEGIN, COMMIT, ROLLBACK and SAVEPOINT are not "
             "allowed";
    case SQLITE_PRAGMA:
      return IsHarmlessPragma(first) ? "" : "PRAGMA " + std::string(first) + " is not allowed";
    case SQLITE_FUNCTION: return JudgeQuery(action, first, second);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE: return JudgeChange(first);
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
      return "temporary objects are not allowed: they would outlive the migration on its "
             "connection";
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_TRIGGER:
    case SQLITE_DROP_VIEW:
    case SQLITE_DROP_VTABLE:
    case SQLITE_ALTER_TABLE: return JudgeObject(action, first, second);
    default: return "";
  }
}

int SqliteAuthorizer::OnAction(void* self, int action, const char* first, const char* second,
                               const char* /*database*/, const char* trigger) {
  auto* authorizer = static_cast<SqliteAuthorizer*>(self);
  const std::string_view one = first == nullptr ? "" : first;
  const std::string_view two = second == nullptr ? "" : second;
  std::string refusal;
  switch (authorizer->policy_) {
    case SqlPolicy::kMigration: refusal = authorizer->JudgeMigration(action, one, two); break;
    case SqlPolicy::kQuery: refusal = JudgeQuery(action, one, two); break;
    case SqlPolicy::kProbe:
      if (trigger != nullptr &&
          (action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE))
        refusal = authorizer->JudgeChange(one);
      break;
  }
  if (refusal.empty()) return SQLITE_OK;
  authorizer->refusal_ = std::move(refusal);
  return SQLITE_DENY;
}

}  // namespace switchback
