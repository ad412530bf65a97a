#include "migration/backfill_progress.hpp"

#include <algorithm>
#include <cmath>

#include "common/check.hpp"

namespace switchback {
namespace {

// The rate forgets with this time constant: long enough to ride out a slow commit, short enough to
// show a throttle.
constexpr double kRateSeconds = 10.0;
// What is shown at most while anything is left to do.
constexpr double kPercentMaxBeforeFilled = 99.9;

}  // namespace

double BackfillFigures::Percent() const {
  if (is_filled) return 100.0;
  if (records_total == 0) return 0.0;
  const double share = static_cast<double>(records_done) / static_cast<double>(records_total);
  return std::min(share * 100.0, kPercentMaxBeforeFilled);
}

std::optional<double> BackfillFigures::EtaSeconds() const {
  if (is_filled) return 0.0;
  if (records_per_second <= 0.0 || records_total == 0) return std::nullopt;
  const std::uint64_t left = records_total - std::min(records_done, records_total);
  return static_cast<double>(left) / records_per_second;
}

BackfillProgress::BackfillProgress(const Clock& clock) : clock_(clock), rate_time_(clock.Now()) {
  figures_.started_at = clock.WallNow();
}

void BackfillProgress::StepCommitted(std::uint64_t records, std::uint64_t bytes,
                                     const std::string& collection) {
  MutexLock lock(mutex_);
  figures_.records_done += records;
  figures_.bytes_done += bytes;
  figures_.current_collection = collection;
  figures_.error.reset();
  UpdateRates(records, bytes);
}

// Exponentially weighted means of the rates of each step, weighted by the time the step took.
void BackfillProgress::UpdateRates(std::uint64_t records, std::uint64_t bytes) {
  const SteadyTime now = clock_.Now();
  const double seconds = std::chrono::duration<double>(now - rate_time_).count();
  SB_CHECK(seconds >= 0, "steady time does not go back");
  if (seconds <= 0) return;
  const double weight = is_rate_known_ ? 1.0 - std::exp(-seconds / kRateSeconds) : 1.0;
  const auto move = [&](double& rate, std::uint64_t amount) {
    rate += weight * (static_cast<double>(amount) / seconds - rate);
  };
  move(figures_.records_per_second, records);
  move(figures_.bytes_per_second, bytes);
  is_rate_known_ = true;
  rate_time_ = now;
}

void BackfillProgress::SetTotals(std::uint64_t records_done, std::uint64_t records_total) {
  MutexLock lock(mutex_);
  figures_.records_done = records_done;
  figures_.records_total = records_total;
}

void BackfillProgress::SetTotal(std::uint64_t records_total) {
  MutexLock lock(mutex_);
  figures_.records_total = records_total;
}

void BackfillProgress::SetFilled() {
  MutexLock lock(mutex_);
  figures_.is_filled = true;
  figures_.needs_scratch = false;
  figures_.records_done = figures_.records_total;
  figures_.current_collection.clear();
}

void BackfillProgress::SetError(const Error& error, bool needs_scratch) {
  MutexLock lock(mutex_);
  figures_.error = error;
  figures_.needs_scratch = needs_scratch;
}

BackfillFigures BackfillProgress::Figures() const {
  MutexLock lock(mutex_);
  return figures_;
}

}  // namespace switchback
