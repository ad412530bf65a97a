#include "migration/history.hpp"

#include <algorithm>

#include "migration/journal_sql.hpp"

namespace switchback {
namespace {

// The triggers are against mistakes; against intent there are the hashes.
constexpr const char* kTable =
    "CREATE TABLE history(number INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL,"
    " json TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL);"
    "CREATE TRIGGER history_stays BEFORE UPDATE ON history"
    " BEGIN SELECT RAISE(ABORT, 'entries of the history are never changed'); END;"
    "CREATE TRIGGER history_is_kept BEFORE DELETE ON history"
    " BEGIN SELECT RAISE(ABORT, 'entries of the history are never deleted'); END;";

constexpr const char* kColumns =
    "SELECT number, time, kind, json, previous_hash, hash FROM history";

HistoryEntry EntryOf(sqlite3_stmt* row) {
  return {sqlite3_column_int64(row, 0),
          SqlColumn(row, 1),
          SqlColumn(row, 2),
          SqlColumn(row, 3),
          SqlColumn(row, 4),
          SqlColumn(row, 5)};
}

// A bar ends a field where the hash is computed. Ours have none; an older file may hold anything.
std::string WithoutBars(std::string_view text) {
  std::string clean(text);
  std::replace(clean.begin(), clean.end(), '|', '/');
  return clean;
}

}  // namespace

Status History::Make() {
  return ExecuteSqlite(db_, kTable);
}

Result<std::int64_t> History::Append(std::string_view time, std::string_view kind,
                                     std::string_view json) {
  HistoryEntry entry{
      1, WithoutBars(time), WithoutBars(kind), std::string(json), std::string(kHistoryRoot), ""};
  SB_RETURN_IF_ERROR(RunSql(db_, "SELECT number, hash FROM history ORDER BY number DESC LIMIT 1",
                            {}, [&](sqlite3_stmt* row) {
                              entry.number = sqlite3_column_int64(row, 0) + 1;
                              entry.previous_hash = SqlColumn(row, 1);
                            }));
  entry.hash = HistoryHash(entry);
  const auto texts =
      SqlTexts({entry.time, entry.kind, entry.json, entry.previous_hash, entry.hash});
  SB_RETURN_IF_ERROR(RunSql(db_,
                            "INSERT INTO history(number, time, kind, json, previous_hash, hash)"
                            " VALUES(?6, ?1, ?2, ?3, ?4, ?5)",
                            [&](sqlite3_stmt* statement) {
                              texts(statement);
                              sqlite3_bind_int64(statement, 6, entry.number);
                            }));
  return entry.number;
}

Result<std::vector<HistoryEntry>> History::Read(const HistoryQuery& query) {
  std::vector<HistoryEntry> entries;
  const auto texts = SqlTexts({query.kind});
  SB_RETURN_IF_ERROR(RunSql(
      db_,
      std::string(kColumns) +
          " WHERE (?1 = '' OR kind = ?1) AND (?2 = 0 OR number < ?2) AND (?3 = 0 OR"
          " CASE WHEN json_valid(json) THEN json_extract(json, '$.operation') END = ?3)"
          " ORDER BY number DESC LIMIT ?4",
      [&](sqlite3_stmt* statement) {
        texts(statement);
        sqlite3_bind_int64(statement, 2, query.before);
        sqlite3_bind_int64(statement, 3, query.operation);
        sqlite3_bind_int64(statement, 4, static_cast<std::int64_t>(query.count_max));
      },
      [&](sqlite3_stmt* row) { entries.push_back(EntryOf(row)); }));
  return entries;
}

Result<std::vector<HistoryEntry>> History::ReadOn(std::int64_t after, std::size_t count_max) {
  std::vector<HistoryEntry> entries;
  SB_RETURN_IF_ERROR(RunSql(
      db_, std::string(kColumns) + " WHERE number > ?1 ORDER BY number LIMIT ?2",
      [&](sqlite3_stmt* statement) {
        sqlite3_bind_int64(statement, 1, after);
        sqlite3_bind_int64(statement, 2, static_cast<std::int64_t>(count_max));
      },
      [&](sqlite3_stmt* row) { entries.push_back(EntryOf(row)); }));
  return entries;
}

// Whoever cuts off the end by hand may forget that the same is in other tables.
Result<std::string> History::FindUntold() {
  std::string untold;
  const auto tell = [&](const char* what) {
    return [&untold, what](sqlite3_stmt* row) {
      untold = what + std::to_string(sqlite3_column_int64(row, 0)) +
               " is in the journal, and no entry tells of it as it is there";
    };
  };
  SB_RETURN_IF_ERROR(
      RunSql(db_,
             "SELECT id, status, ended_at FROM operations WHERE status <> 'running' EXCEPT"
             " SELECT json_extract(json, '$.operation'), json_extract(json, '$.state'),"
             " json_extract(json, '$.ended_at') FROM history WHERE json_valid(json)"
             " ORDER BY id LIMIT 1",
             {}, tell("the end of operation ")));
  if (!untold.empty()) return untold;
  SB_RETURN_IF_ERROR(
      RunSql(db_,
             "SELECT id, time FROM audit EXCEPT SELECT json_extract(json, '$.audit'),"
             " time FROM history WHERE json_valid(json) ORDER BY id LIMIT 1",
             {}, tell("audit entry ")));
  return untold;
}

}  // namespace switchback
