// Counts connections, so that there are never too many and the server knows when the last is gone.
#pragma once

#include <cstdint>

#include "common/clock.hpp"
#include "common/sync.hpp"

namespace switchback {

// Thread-safe.
class ConnectionGate {
 public:
  // False, and counted as rejected, when there are `count_max` connections.
  bool Enter(std::size_t count_max) SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (open_ >= count_max) {
      ++rejected_;
      return false;
    }
    ++open_;
    ++total_;
    return true;
  }
  void Leave() SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    --open_;
    if (open_ == 0) empty_.NotifyAll();
  }
  void CountRejected() SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++rejected_;
  }
  void CountAcceptFailure() SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++accept_failures_;
  }

  // Blocks until no connection is open; false when `deadline` passes first.
  bool WaitUntilEmpty(SteadyTime deadline) SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (open_ != 0) {
      if (!empty_.WaitUntil(mutex_, deadline)) return open_ == 0;
    }
    return true;
  }

  struct Counts {
    std::uint64_t open = 0;
    std::uint64_t total = 0;
    std::uint64_t rejected = 0;
    std::uint64_t accept_failures = 0;
  };
  [[nodiscard]] Counts counts() const SB_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return {open_, total_, rejected_, accept_failures_};
  }

 private:
  mutable Mutex mutex_;
  CondVar empty_;
  std::uint64_t open_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t total_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t rejected_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t accept_failures_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
