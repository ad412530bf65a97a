// Versions of a SQLite store's schema: what the store remembers of them, one change inside an open
// transaction, and the look at the whole database after it. The transaction itself, copies and
// recovery belong to SqliteBackend.
#pragma once

#include <sqlite3.h>

#include <string>
#include <vector>

#include "backends/sql_store.hpp"

namespace switchback {

// Empty when there never was one. Errors: kUnsupported (written by a newer version), kIo,
// kCorruption.
Result<std::vector<SchemaVersion>> ReadSchemaVersions(sqlite3* db);

// Runs `change` in the open transaction and remembers it; after an error the caller rolls back.
// `collection_tables` are all tables that hold records. Errors: those of SqlStore::ChangeSchema.
Status ChangeSqliteSchema(sqlite3* db, const std::vector<std::string>& collection_tables,
                          const SchemaChange& change, const SqlBudget& budget);

// SqlStore::Validate, between transactions; nothing is changed.
Result<StoreReport> ValidateSqlite(sqlite3* db, const std::vector<std::string>& collection_tables,
                                   const SqlBudget& budget);

}  // namespace switchback
