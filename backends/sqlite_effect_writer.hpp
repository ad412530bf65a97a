// Writes effects into the open transaction of the writing connection, with prepared statements kept
// per collection.
#pragma once

#include <sqlite3.h>

#include <span>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "backends/sqlite_handles.hpp"
#include "backends/sqlite_tables.hpp"

namespace switchback {

// The statements that write records: all there are, so that a change of the schema can be tried
// with them (backends/sqlite_probe.hpp). ?1 is the key, ?2 the value.
std::string SqliteUpsert(const std::string& table);
std::string SqliteErase(const std::string& table);
std::string SqliteClear(const std::string& table);

// Lives as long as its connection: destroy it first. One thread.
class SqliteEffectWriter {
 public:
  SqliteEffectWriter(sqlite3* db, SqliteTables& tables) : db_(db), tables_(tables) {}

  // All of them in order, inside a transaction that the caller has begun and must roll back after
  // an error. Errors: kInvalidArgument, kNoSpace, kTooLarge, kIo, kCorruption.
  Status WriteAll(std::span<const Effect> effects);
  // The transaction was rolled back: statements on tables it had made are void.
  void ForgetMade();

 private:
  // Statements on one collection's table, prepared when first needed.
  struct TableStatements {
    StatementHandle upsert;
    StatementHandle erase;
    StatementHandle clear;
  };

  TableStatements& StatementsOf(const Collection& collection);
  Status Put(const Effect& effect);
  Status Delete(const Effect& effect);
  Status Clear(const Effect& effect);
  Status Step(sqlite3_stmt* statement, const char* doing);

  sqlite3* const db_;
  SqliteTables& tables_;
  std::vector<TableStatements> statements_;  // by collection index
};

}  // namespace switchback
