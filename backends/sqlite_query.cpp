#include "backends/sqlite_query.hpp"

#include <cmath>
#include <type_traits>

#include "backends/sqlite_authorizer.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_script.hpp"
#include "common/check.hpp"
#include "common/limits.hpp"

namespace switchback {
namespace {

constexpr int kSqlBytesMax = 64 << 10;
constexpr int kExpressionDepthMax = 100;
constexpr int kInstructionCountMax = 100'000;
// A value of the largest size can be read, and little more be made of it.
constexpr int kStringBytesMax = static_cast<int>(kValueBytesMaxDefault) + (1 << 20);

int BindValue(sqlite3_stmt* statement, int index, const SqlValue& value) {
  return std::visit(
      [&](const auto& one) {
        using Type = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Type, std::monostate>) {
          return sqlite3_bind_null(statement, index);
        } else if constexpr (std::is_same_v<Type, std::int64_t>) {
          return sqlite3_bind_int64(statement, index, one);
        } else if constexpr (std::is_same_v<Type, double>) {
          return sqlite3_bind_double(statement, index, one);
        } else if constexpr (std::is_same_v<Type, std::string>) {
          return sqlite3_bind_text64(statement, index, one.data(), one.size(), SQLITE_STATIC,
                                     SQLITE_UTF8);
        } else {
          return BindSqliteBlob(statement, index, one.bytes);
        }
      },
      value);
}

int FindParameter(sqlite3_stmt* statement, const std::string& name) {
  for (const char* mark : {":", "@", "$"}) {
    if (const int index = sqlite3_bind_parameter_index(statement, (mark + name).c_str()); index > 0)
      return index;
  }
  return sqlite3_bind_parameter_index(statement, name.c_str());
}

Status BindAll(sqlite3_stmt* statement, const SqlQuery& query) {
  const auto count = static_cast<std::size_t>(sqlite3_bind_parameter_count(statement));
  if (query.positional.size() + query.named.size() != count)
    return Fail(ErrorCode::kInvalidArgument,
                "the statement has " + std::to_string(count) + " parameters, and " +
                    std::to_string(query.positional.size() + query.named.size()) + " were given");
  int index = 0;
  for (const SqlValue& value : query.positional) {
    if (BindValue(statement, ++index, value) != SQLITE_OK)
      return Fail(ErrorCode::kTooLarge, "parameter " + std::to_string(index) + " is too large");
  }
  for (const auto& [name, value] : query.named) {
    const int found = FindParameter(statement, name);
    if (found == 0)
      return Fail(ErrorCode::kInvalidArgument, "the statement has no parameter named " + name);
    if (BindValue(statement, found, value) != SQLITE_OK)
      return Fail(ErrorCode::kTooLarge, "parameter " + name + " is too large");
  }
  return {};
}

SqlValue ColumnValue(sqlite3_stmt* row, int index) {
  switch (sqlite3_column_type(row, index)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(row, index)};
    case SQLITE_FLOAT: return sqlite3_column_double(row, index);
    case SQLITE_NULL: return std::monostate();
    case SQLITE_BLOB: return SqlBlob{std::string(SqliteColumnBytes(row, index))};
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, index));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, index));
      return text == nullptr ? std::string() : std::string(text, size);
    }
  }
}

// What a value takes in memory, and about what it takes in an answer.
std::size_t BytesOf(const SqlValue& value) {
  constexpr std::size_t kEachBytes = sizeof(SqlValue);
  if (const auto* text = std::get_if<std::string>(&value)) return kEachBytes + text->size();
  if (const auto* blob = std::get_if<SqlBlob>(&value)) return kEachBytes + blob->bytes.size();
  return kEachBytes;
}

class Execution {
 public:
  Execution(sqlite3* db, const SqlQuery& query, const SqlBudget& budget)
      : db_(db), query_(query), authorizer_(db, SqlPolicy::kQuery, {}), interrupter_(db, budget) {}

  Result<SqlResult> Run() {
    SB_RETURN_IF_ERROR(Prepare());
    SB_RETURN_IF_ERROR(BindAll(statement_.get(), query_));
    SqlResult result;
    const int columns = sqlite3_column_count(statement_.get());
    for (int index = 0; index < columns; ++index)
      result.columns.emplace_back(sqlite3_column_name(statement_.get(), index));
    int error = SQLITE_OK;
    while ((error = sqlite3_step(statement_.get())) == SQLITE_ROW) {
      if (result.rows.size() == query_.row_count_max) {
        result.is_truncated = true;
        return result;
      }
      SB_RETURN_IF_ERROR(AddRow(columns, result));
    }
    if (error != SQLITE_DONE) return FailQuery(error);
    return result;
  }

 private:
  tl::unexpected<Error> FailQuery(int error) const {
    if (!authorizer_.refusal().empty()) return Fail(ErrorCode::kRefused, authorizer_.refusal());
    if (!interrupter_.reason().empty())
      return Fail(ErrorCode::kCancelled, "the query was stopped: " + interrupter_.reason());
    switch (error & 0xff) {
      case SQLITE_ERROR:
      case SQLITE_MISMATCH:
      case SQLITE_RANGE: return Fail(ErrorCode::kInvalidArgument, sqlite3_errmsg(db_));
      default: return FailSqlite(db_, "query", error);
    }
  }

  Status Prepare() {
    if (query_.sql.size() > static_cast<std::size_t>(kSqlBytesMax))
      return Fail(ErrorCode::kTooLarge, "a statement has at most 64 KiB");
    const std::string_view sql = query_.sql;
    sqlite3_stmt* prepared = nullptr;
    const char* tail = nullptr;
    const int error =
        sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), 0, &prepared, &tail);
    statement_.reset(prepared);
    if (error != SQLITE_OK) return FailQuery(error);
    if (prepared == nullptr) return Fail(ErrorCode::kInvalidArgument, "there is no statement");
    if (SkipSqlBlanks(sql, static_cast<std::size_t>(tail - sql.data())) != sql.size())
      return Fail(ErrorCode::kInvalidArgument, "one statement a query");
    // The authorizer knows the actions of today's SQLite; this is the library's own word.
    if (sqlite3_stmt_readonly(prepared) == 0)
      return Fail(ErrorCode::kRefused, "a query may only read");
    return {};
  }

  Status AddRow(int columns, SqlResult& result) {
    std::vector<SqlValue> row;
    row.reserve(static_cast<std::size_t>(columns));
    for (int index = 0; index < columns; ++index) {
      row.push_back(ColumnValue(statement_.get(), index));
      bytes_ += BytesOf(row.back());
      if (bytes_ > query_.result_bytes_max)
        return Fail(ErrorCode::kTooLarge, "the result is larger than " +
                                              std::to_string(query_.result_bytes_max) +
                                              " bytes: ask for fewer rows or columns");
    }
    result.rows.push_back(std::move(row));
    return {};
  }

  sqlite3* const db_;
  const SqlQuery& query_;
  const SqliteAuthorizer authorizer_;
  const SqliteInterrupter interrupter_;
  StatementHandle statement_;
  std::size_t bytes_ = 0;
};

}  // namespace

Status PrepareConnectionForQueries(sqlite3* db) {
  SB_CHECK(sqlite3_get_autocommit(db) != 0, "temp_store changes between transactions");
  SB_RETURN_IF_ERROR(ExecuteSqlite(db, "PRAGMA temp_store=FILE"));
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kStringBytesMax);
  sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, kSqlBytesMax);
  sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, kExpressionDepthMax);
  sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, kInstructionCountMax);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
  return {};
}

Result<SqlResult> RunSqliteQuery(sqlite3* db, const SqlQuery& query, const SqlBudget& budget) {
  return Execution(db, query, budget).Run();
}

}  // namespace switchback
