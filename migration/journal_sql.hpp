// The few calls by which the journal speaks to its file.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "backends/sqlite_handles.hpp"
#include "common/result.hpp"

namespace switchback {

using SqlBind = std::function<void(sqlite3_stmt*)>;
using SqlRow = std::function<void(sqlite3_stmt*)>;

// Runs one statement to its end; `row` sees each row.
Status RunSql(sqlite3* db, std::string_view sql, const SqlBind& bind, const SqlRow& row = {});

// Binds texts from the first parameter on. They outlive the statement's run.
SqlBind SqlTexts(std::initializer_list<std::string_view> texts);

// The text or the bytes of a column.
std::string SqlColumn(sqlite3_stmt* row, int index);

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

}  // namespace switchback
