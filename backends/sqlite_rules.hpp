// What a collection's table may look like after a migration, and whether it still takes any record.
// The follower must be able to write whatever the log holds, for ever: a constraint that depends on
// values would stop it at some later record, and the store would never come in sync again. So what
// can depend on values is refused by its form, and the rest is tried.
//
// (1) A collection's table keeps its two columns and its place. What is added are generated columns
//     that may be NULL. (2) No CHECK, no foreign key from it or to it, no unique index but the key.
//     In columns and indexes no function that fails for some values.
// (3) No trigger may RAISE or touch records or tables of ours. (4) Values of every kind can be put,
//     overwritten, read back and deleted.
#pragma once

#include <sqlite3.h>

#include <string>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// Rules 1 to 3 by the schema. Error: kRefused with what is against which rule; kIo, kCorruption.
Status CheckSqliteRules(sqlite3* db, const std::vector<std::string>& collection_tables);

// Rules 3 and 4 by trying, in a savepoint of the open transaction that is undone. Error: kRefused
// with the table, the kind of value and SQLite's message. After an error the caller rolls back.
Status ProbeSqliteWrites(sqlite3* db, const std::vector<std::string>& collection_tables);

}  // namespace switchback
