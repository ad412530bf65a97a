// What a fill tells the people who wait for it. The durable truth is the target's StoreState; this
// is the view of one process, and starts anew with it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"

namespace switchback {

// A copy to show.
struct BackfillFigures {
  WallTime started_at;
  std::uint64_t records_done = 0;   // filled, those of earlier attempts included
  std::uint64_t records_total = 0;  // in the source, as of a moment ago
  std::uint64_t bytes_done = 0;     // keys and values filled by this process
  double records_per_second = 0;    // over about the last ten seconds
  double bytes_per_second = 0;
  std::string current_collection;
  std::optional<Error> error;  // of the last attempt, until a step succeeds
  bool needs_scratch = false;  // the fill cannot be resumed: start from an empty target
  bool is_filled = false;      // every record is filled; what is left is to catch up

  // Below 100 until is_filled.
  [[nodiscard]] double Percent() const;
  // Absent while nothing has been measured.
  [[nodiscard]] std::optional<double> EtaSeconds() const;
};

// Thread-safe: the target's follower reports, anybody asks.
class BackfillProgress {
 public:
  explicit BackfillProgress(const Clock& clock);

  // `records` are those of the step's chunk, not the effects of the log.
  void StepCommitted(std::uint64_t records, std::uint64_t bytes, const std::string& collection)
      SB_EXCLUDES(mutex_);
  void SetTotals(std::uint64_t records_done, std::uint64_t records_total) SB_EXCLUDES(mutex_);
  void SetTotal(std::uint64_t records_total) SB_EXCLUDES(mutex_);
  void SetFilled() SB_EXCLUDES(mutex_);
  void SetError(const Error& error, bool needs_scratch) SB_EXCLUDES(mutex_);

  // Ends the fill at its next step; what is filled stays and can be resumed.
  void Cancel() { is_cancelled_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool is_cancelled() const { return is_cancelled_.load(std::memory_order_relaxed); }

  // The fill stands still from its next step on, until it is resumed.
  void SetPaused(bool is_paused) { is_paused_.store(is_paused, std::memory_order_relaxed); }
  [[nodiscard]] bool is_paused() const { return is_paused_.load(std::memory_order_relaxed); }

  [[nodiscard]] BackfillFigures Figures() const SB_EXCLUDES(mutex_);

 private:
  void UpdateRates(std::uint64_t records, std::uint64_t bytes) SB_REQUIRES(mutex_);

  const Clock& clock_;
  std::atomic<bool> is_cancelled_{false};
  std::atomic<bool> is_paused_{false};
  mutable Mutex mutex_;
  BackfillFigures figures_ SB_GUARDED_BY(mutex_);
  SteadyTime rate_time_ SB_GUARDED_BY(mutex_);  // of the last step that counted
  bool is_rate_known_ SB_GUARDED_BY(mutex_) = false;
};

}  // namespace switchback
