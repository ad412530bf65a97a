// What SQL that people wrote may do on our connections, decided while SQLite prepares it.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>
#include <vector>

namespace switchback {

enum class SqlPolicy {
  kMigration,  // tables, indexes, triggers and views of their own; generated columns on collections
  kProbe,  // our own statements on collections: what triggers add to them must not touch records
  kQuery,  // reading
};

// Asked by SQLite about every statement prepared on `db` while this lives. One a connection. The
// statements that are kept prepared are prepared anew afterwards, by SQLite itself.
class SqliteAuthorizer {
 public:
  // `collection_tables` are the tables that hold records.
  SqliteAuthorizer(sqlite3* db, SqlPolicy policy, std::vector<std::string> collection_tables);
  ~SqliteAuthorizer();
  SqliteAuthorizer(const SqliteAuthorizer&) = delete;
  SqliteAuthorizer& operator=(const SqliteAuthorizer&) = delete;

  // Why the newest statement that was denied was; "" when none was.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

 private:
  static int OnAction(void* self, int action, const char* first, const char* second,
                      const char* database, const char* trigger);
  // Why not, "" when it is allowed.
  [[nodiscard]] std::string JudgeMigration(int action, std::string_view first,
                                           std::string_view second) const;
  [[nodiscard]] std::string JudgeChange(std::string_view table) const;
  [[nodiscard]] std::string JudgeObject(int action, std::string_view first,
                                        std::string_view second) const;
  [[nodiscard]] bool IsCollection(std::string_view table) const;

  sqlite3* const db_;
  const SqlPolicy policy_;
  const std::vector<std::string> collection_tables_;
  std::string refusal_;
};

// Whether a table's name is one of those that Switchback keeps for itself.
bool IsOwnSqliteName(std::string_view name);

}  // namespace switchback
