// Reads every record of one role's store once, to see that the engine still gives them all.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "service/db_service.hpp"

namespace switchback {

struct StoreCheckResult {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;     // of keys and values
  std::uint64_t sequence = 0;  // that the store stood at when the check ended
  // Whether nothing was written meanwhile, so that `records` is what its counters must say.
  bool is_still = false;
};

// In short snapshots. Waits up to `wait_max` until the store has applied all that was acknowledged
// before the call. `on_progress` hears the share that is read (0..1). Errors: those of the store;
// kBusy (it lags); kCorruption (it does not hold as many records as it counts); kCancelled when
// `stop` becomes true.
Result<StoreCheckResult> CheckStore(DbService& service, Role role,
                                    std::chrono::milliseconds wait_max,
                                    const std::atomic<bool>& stop,
                                    const std::function<void(double)>& on_progress);

}  // namespace switchback
