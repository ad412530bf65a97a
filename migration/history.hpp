// The history: what was done and how it ended, for ever. A table of the journal's file to which
// entries are only ever added, each in the transaction of what it tells about.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "migration/history_chain.hpp"

namespace switchback {

// Which entries, the newest first.
struct HistoryQuery {
  std::string kind;            // "" = all
  std::int64_t before = 0;     // only those with a smaller number; 0 = all
  std::int64_t operation = 0;  // only those about this operation; 0 = all
  std::size_t count_max = 100;
};

// The table behind one connection. Not thread-safe; the connection outlives it.
// Errors of every call: kIo, kNoSpace, kCorruption, kBusy.
class History {
 public:
  explicit History(sqlite3* db) : db_(db) {}

  // Makes the table, in the caller's transaction.
  Status Make();
  // Adds an entry, in the caller's transaction, and gives its number. A '|' in `time` or
  // `kind` becomes a '/'.
  Result<std::int64_t> Append(std::string_view time, std::string_view kind, std::string_view json);

  Result<std::vector<HistoryEntry>> Read(const HistoryQuery& query);
  // At most `count_max` behind number `after`, in order.
  Result<std::vector<HistoryEntry>> ReadOn(std::int64_t after, std::size_t count_max);
  // What the journal knows to have happened and no entry tells; "" when there is nothing.
  Result<std::string> FindUntold();

 private:
  sqlite3* const db_;
};

}  // namespace switchback
