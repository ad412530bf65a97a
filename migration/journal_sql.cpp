#include "migration/journal_sql.hpp"

#include <vector>

namespace switchback {

Status RunSql(sqlite3* db, std::string_view sql, const SqlBind& bind, const SqlRow& row) {
  auto statement = PrepareSqlite(db, sql);
  if (!statement) return Fail(WithContext(statement.error(), "journal"));
  if (bind) bind(statement->get());
  int error = SQLITE_ROW;
  while ((error = sqlite3_step(statement->get())) == SQLITE_ROW) {
    if (row) row(statement->get());
  }
  if (error != SQLITE_DONE) return FailSqlite(db, "journal", error);
  return {};
}

SqlBind SqlTexts(std::initializer_list<std::string_view> texts) {
  return [texts = std::vector<std::string_view>(texts)](sqlite3_stmt* statement) {
    int index = 0;
    for (const std::string_view text : texts) {
      sqlite3_bind_text(statement, ++index, text.data() == nullptr ? "" : text.data(),
                        static_cast<int>(text.size()), SQLITE_STATIC);
    }
  };
}

std::string SqlColumn(sqlite3_stmt* row, int index) {
  return std::string(SqliteColumnBytes(row, index));
}

}  // namespace switchback
