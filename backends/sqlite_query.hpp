// One read-only statement of a person on one connection, within limits.
#pragma once

#include <sqlite3.h>

#include "backends/sql_store.hpp"

namespace switchback {

// Once for a connection that is kept for this, outside of transactions: results in between go to a
// file instead of memory, and no string, statement or expression grows past a limit.
Status PrepareConnectionForQueries(sqlite3* db);

// Inside a read transaction of such a connection. Without `SqlResult::applied_sequence`. Errors:
// those of SqlReader::Query, with kCancelled for every stop.
Result<SqlResult> RunSqliteQuery(sqlite3* db, const SqlQuery& query, const SqlBudget& budget);

}  // namespace switchback
