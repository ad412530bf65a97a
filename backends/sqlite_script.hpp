// SQL that people wrote, run statement by statement, so that a failure can name its place; and an
// end to it when it takes too long.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "backends/sql_store.hpp"
#include "backends/sqlite_authorizer.hpp"
#include "common/result.hpp"

namespace switchback {

// Interrupts what runs on `db` when the budget is used up, while this lives. One a connection.
class SqliteInterrupter {
 public:
  SqliteInterrupter(sqlite3* db, const SqlBudget& budget);
  ~SqliteInterrupter();
  SqliteInterrupter(const SqliteInterrupter&) = delete;
  SqliteInterrupter& operator=(const SqliteInterrupter&) = delete;

  // Why it has interrupted something; "" when it has not.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // Asks at once. True, and a reason, when it is time to stop.
  bool ShouldStop();

 private:
  static int OnProgress(void* self);

  sqlite3* const db_;
  const SqlBudget& budget_;
  std::string reason_;
};

// Runs every statement of `sql` in the transaction that the caller has begun, without results.
// Errors, with `origin`, the line where the statement begins, its text cut short and SQLite's
// message: kRefused (the authorizer), kCancelled (the interrupter), kNoSpace, kIo, kCorruption, and
// kInvalidArgument for what the statement itself did wrong. The caller rolls back; when a statement
// has done so by itself the error says it.
Status RunSqliteScript(sqlite3* db, std::string_view origin, std::string_view sql,
                       const SqliteAuthorizer& authorizer, const SqliteInterrupter& interrupter);

// `sql` from its first byte that is neither blank nor part of a comment.
std::size_t SkipSqlBlanks(std::string_view sql, std::size_t from);

// Whether `word` stands in `sql` as a word of the language: not in a string, comment or quoted
// name.
bool HasSqlWord(std::string_view sql, std::string_view word);
// The same where '(' follows it: a call of a function of this name.
bool HasSqlCall(std::string_view sql, std::string_view name);

}  // namespace switchback
