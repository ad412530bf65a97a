#include "rollback/guard/major_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace switchback {
namespace {

constexpr std::chrono::seconds kSecond{1};
constexpr std::uint64_t kBurstCountMin = 10;  // operations within the second
constexpr double kBurstRate = 0.10;
constexpr std::size_t kBurstsMin = 3;
constexpr std::chrono::minutes kBurstMemory{1};

constexpr std::chrono::seconds kWindow{10};
constexpr std::uint64_t kWindowCountMin = 200;  // reads that a p99 takes
constexpr double kSlowerFactor = 1.2;
constexpr std::size_t kWindowCount = 30;  // five minutes
constexpr std::size_t kSlowWindowsMin = 27;

struct Portion {
  std::uint64_t operations = 0, errors = 0;
  HistogramSnapshot reads;
  Portion(const GuardSample& from, const GuardSample& to, Role role)
      : operations(to.of(role).operations - from.of(role).operations),
        errors(to.of(role).errors - from.of(role).errors),
        reads(to.of(role).reads) {
    reads -= from.of(role).reads;
  }
  [[nodiscard]] double ErrorRate() const {
    return operations == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(operations);
  }
};

}  // namespace

std::vector<GuardAlert> MajorWatch::Look(const GuardSample& sample) {
  std::vector<GuardAlert> alerts;
  if (!second_) second_ = sample;
  if (!window_) window_ = sample;
  if (sample.now - second_->now >= kSecond) LookForBursts(sample, alerts);
  if (sample.now - window_->now >= kWindow) LookForSlowness(sample, alerts);
  return alerts;
}

void MajorWatch::Reset() {
  second_.reset();
  window_.reset();
  bursts_.clear();
  was_slow_.clear();
  has_alerted_bursts_ = has_alerted_slowness_ = false;
}

void MajorWatch::LookForBursts(const GuardSample& sample, std::vector<GuardAlert>& alerts) {
  const Portion unified(*second_, sample, Role::kUnified);
  const Portion legacy(*second_, sample, Role::kLegacy);
  second_ = sample;
  const bool is_burst = unified.operations >= kBurstCountMin && unified.ErrorRate() > kBurstRate &&
                        legacy.ErrorRate() < unified.ErrorRate() / 2;
  if (is_burst) bursts_.push_back(sample.now);
  while (!bursts_.empty() && sample.now - bursts_.front() > kBurstMemory) bursts_.pop_front();
  if (bursts_.empty()) has_alerted_bursts_ = false;
  if (bursts_.size() < kBurstsMin || std::exchange(has_alerted_bursts_, true)) return;
  alerts.push_back({GuardSeverity::kMajor, "error-bursts",
                    fmt::format("errors of unified come in bursts: {} of the last 60 seconds had "
                                "more than {:.0f} % (of the newest {:.1f} %)",
                                bursts_.size(), 100 * kBurstRate, 100 * unified.ErrorRate()),
                    true});
}

void MajorWatch::LookForSlowness(const GuardSample& sample, std::vector<GuardAlert>& alerts) {
  const Portion unified(*window_, sample, Role::kUnified);
  const Portion legacy(*window_, sample, Role::kLegacy);
  window_ = sample;
  // Without both there is nothing to compare, and an old comparison says nothing about today.
  if (unified.reads.Count() < kWindowCountMin || legacy.reads.Count() < kWindowCountMin) {
    was_slow_.clear();
    has_alerted_slowness_ = false;
    return;
  }
  const auto p99 = static_cast<double>(unified.reads.QuantileNs(0.99));
  const auto legacy_p99 = static_cast<double>(legacy.reads.QuantileNs(0.99));
  const auto floor =
      static_cast<double>(std::chrono::nanoseconds(settings_.slow_read_floor).count());
  was_slow_.push_back(p99 > floor && p99 > kSlowerFactor * legacy_p99);
  if (was_slow_.size() > kWindowCount) was_slow_.pop_front();
  const auto slow = std::count(was_slow_.begin(), was_slow_.end(), true);
  if (slow == 0) has_alerted_slowness_ = false;
  if (static_cast<std::size_t>(slow) < kSlowWindowsMin ||
      std::exchange(has_alerted_slowness_, true))
    return;
  alerts.push_back(
      {GuardSeverity::kMajor, "slower",
       fmt::format("reads of unified stay slower than legacy's: p99 {:.0f} us, legacy {:.0f} us "
                   "({:+.0f} %, {:+.0f} us), floor {:.0f} us, in {} of the last {} times 10 s",
                   p99 / 1e3, legacy_p99 / 1e3, 100 * (p99 / legacy_p99 - 1),
                   (p99 - legacy_p99) / 1e3, floor / 1e3, slow, was_slow_.size()),
       true});
}

}  // namespace switchback
