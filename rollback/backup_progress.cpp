#include "rollback/backup_progress.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace switchback {

void BackupProgress::SetStage(std::string stage) {
  MutexLock lock(mutex_);
  if (stages_.empty() || stages_.back() != stage) stages_.push_back(std::move(stage));
}

void BackupProgress::SetTotal(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  bytes_total_ = bytes;
}

void BackupProgress::SetRemaining(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  bytes_total_ = bytes_done_ + bytes;
}

void BackupProgress::SetRecords(std::uint64_t records) {
  MutexLock lock(mutex_);
  records_ = records;
}

void BackupProgress::SetCritical(std::string why) {
  MutexLock lock(mutex_);
  critical_ = std::move(why);
}

Status BackupProgress::Pause(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  MutexLock lock(mutex_);
  while (!is_cancelled_ && cancelled_.WaitUntil(mutex_, until)) {
  }
  if (is_cancelled_) return Fail(ErrorCode::kCancelled, "the operation was ended");
  return {};
}

void BackupProgress::Cancel() {
  MutexLock lock(mutex_);
  is_cancelled_ = true;
  cancelled_.NotifyAll();
}

Status BackupProgress::Advance(std::uint64_t bytes) {
  std::this_thread::yield();  // as PeriodicYield
  MutexLock lock(mutex_);
  bytes_done_ += bytes;
  if (bytes_per_second_ > 0 && !is_cancelled_) {
    const auto due = std::chrono::duration<double>(static_cast<double>(bytes_done_) /
                                                   static_cast<double>(bytes_per_second_));
    const SteadyTime until = started_ + std::chrono::duration_cast<SteadyTime::duration>(due);
    while (!is_cancelled_ && clock_.Now() < until) {
      if (!cancelled_.WaitUntil(mutex_, std::chrono::steady_clock::now() + (until - clock_.Now())))
        break;
    }
  }
  if (is_cancelled_) return Fail(ErrorCode::kCancelled, "the operation was ended");
  return {};
}

BackupProgressStatus BackupProgress::GetStatus() const {
  MutexLock lock(mutex_);
  BackupProgressStatus status;
  status.stages = stages_;
  if (!stages_.empty()) status.stage = stages_.back();
  status.records = records_;
  status.critical = critical_;
  status.bytes_done = bytes_done_;
  status.bytes_total = std::max(bytes_total_, bytes_done_);
  if (bytes_total_ == 0) return status;
  const double share = static_cast<double>(bytes_done_) / static_cast<double>(status.bytes_total);
  // An estimate that was too small must not look like the end.
  status.percent = std::min(99.0, 100.0 * share);
  const double seconds = std::chrono::duration<double>(clock_.Now() - started_).count();
  if (bytes_done_ > 0 && seconds > 0.2) status.eta_seconds = seconds * (1 - share) / share;
  return status;
}

}  // namespace switchback
