// How far a backup is, for whoever watches; how fast it may go, and whether it shall end, for the
// threads that work on it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "common/sync.hpp"

namespace switchback {

struct BackupProgressStatus {
  std::string stage;  // "pin" "copy" "check" "compress" "publish" "verify" ...
  double percent = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  // an estimate while the work goes on
  std::optional<double> eta_seconds;
  std::vector<std::string> stages;       // all so far, in order; the last one is `stage`
  std::optional<std::uint64_t> records;  // that were written or read back, once that is known
  std::string critical;                  // why what is served may be wrong now; "" = it is not
};

// Thread-safe.
class BackupProgress {
 public:
  // `bytes_per_second`: 0 = no limit.
  BackupProgress(const Clock& clock, std::uint64_t bytes_per_second)
      : clock_(clock), bytes_per_second_(bytes_per_second), started_(clock.Now()) {}

  void SetStage(std::string stage) SB_EXCLUDES(mutex_);
  void SetTotal(std::uint64_t bytes) SB_EXCLUDES(mutex_);
  // So much is still to come: the total is that and what was done.
  void SetRemaining(std::uint64_t bytes) SB_EXCLUDES(mutex_);
  void SetRecords(std::uint64_t records) SB_EXCLUDES(mutex_);
  void SetCritical(std::string why) SB_EXCLUDES(mutex_);
  // From any thread: every Advance fails from now on (kCancelled).
  void Cancel() SB_EXCLUDES(mutex_);

  // So much more was read or written. Blocks as long as the rate wants it.
  Status Advance(std::uint64_t bytes) SB_EXCLUDES(mutex_);
  // Waits so long, or until it is cancelled (kCancelled): between two attempts.
  Status Pause(std::chrono::milliseconds time) SB_EXCLUDES(mutex_);
  // Advance as a step of ReadView::CopyTo. This object outlives it.
  [[nodiscard]] ReadView::CopyStep Step() {
    return [this](std::uint64_t bytes) { return Advance(bytes); };
  }

  [[nodiscard]] BackupProgressStatus GetStatus() const SB_EXCLUDES(mutex_);

 private:
  const Clock& clock_;
  const std::uint64_t bytes_per_second_;
  const SteadyTime started_;
  mutable Mutex mutex_;
  CondVar cancelled_;
  bool is_cancelled_ SB_GUARDED_BY(mutex_) = false;
  std::vector<std::string> stages_ SB_GUARDED_BY(mutex_);
  std::optional<std::uint64_t> records_ SB_GUARDED_BY(mutex_);
  std::string critical_ SB_GUARDED_BY(mutex_);
  std::uint64_t bytes_done_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_total_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
