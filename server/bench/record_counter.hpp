// Hands out the indexes of records to insert, and knows up to where all of them are stored.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>

#include "common/sync.hpp"

namespace switchback::bench {

// Thread-safe. The lock is taken by inserts only, which wait for a disk anyway.
class RecordCounter {
 public:
  explicit RecordCounter(std::uint64_t stored) : next_(stored), visible_(stored) {}

  // Every index below it is stored: the bound for choosing a record to read.
  [[nodiscard]] std::uint64_t Visible() const { return visible_.load(std::memory_order_acquire); }

  // The index of a new record; call Stored when it is, or when its insertion was given up.
  std::uint64_t Take() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    in_flight_.insert(next_);
    return next_++;
  }
  void Stored(std::uint64_t index) SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    in_flight_.erase(index);
    visible_.store(in_flight_.empty() ? next_ : *in_flight_.begin(), std::memory_order_release);
  }

 private:
  Mutex mutex_;
  std::uint64_t next_ SB_GUARDED_BY(mutex_);
  std::set<std::uint64_t> in_flight_ SB_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> visible_;
};

}  // namespace switchback::bench
