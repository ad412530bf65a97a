// Read-only SQL of people on the unified store, a few at a time, each on a snapshot of its own.
#pragma once

#include <atomic>
#include <chrono>

#include "backends/sql_store.hpp"
#include "service/db_service.hpp"

namespace switchback {

inline constexpr int kQueryCountMax = 4;
inline constexpr std::size_t kQueryRowCountMax = 100'000;
inline constexpr std::chrono::milliseconds kQueryTimeDefault{5'000};
inline constexpr std::chrono::milliseconds kQueryTimeMax{60'000};
// How long a query waits for the store to hold what was acknowledged before it.
inline constexpr std::chrono::milliseconds kQueryCatchUpMax{5'000};

// Thread-safe. `service` outlives it.
class SqlQueries {
 public:
  explicit SqlQueries(DbService& service) : service_(service) {}

  // Runs one statement for at most `time_max`. With `is_fresh` it sees every write acknowledged
  // before the call, and is refused (kRefused) while unified is not in sync; without, what the
  // store has applied, which may be some seconds older. kBusy: too many at once. Else as
  // SqlReader::Query.
  Result<SqlResult> Run(SqlQuery query, std::chrono::milliseconds time_max, bool is_fresh);

  // Interrupts what runs.
  void Stop() { is_stopping_.store(true); }

 private:
  Status WaitUntilFresh();

  DbService& service_;
  std::atomic<int> running_{0};
  std::atomic<bool> is_stopping_{false};
};

}  // namespace switchback
