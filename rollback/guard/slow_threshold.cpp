#include "rollback/guard/slow_threshold.hpp"

#include <algorithm>

namespace switchback {

void SlowThreshold::Add(SteadyTime now, const HistogramSnapshot& legacy) {
  if (seconds_.empty() || now - seconds_.back().first >= std::chrono::seconds(1))
    seconds_.emplace_back(now, legacy);
  while (seconds_.size() > 1 && now - seconds_[1].first >= kWindow) seconds_.pop_front();
  HistogramSnapshot window = legacy;
  window -= seconds_.front().second;
  if (window.Count() >= kCountMin) {
    p99_ns_ = window.QuantileNs(0.99);
    p99_at_ = now;
  } else if (p99_ns_ && now - p99_at_ > kRemembered) {
    p99_ns_.reset();
  }
}

std::uint64_t SlowThreshold::ns() const {
  const auto floor =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(settings_.slow_read_floor).count());
  const auto ceiling =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(settings_.slow_read_ceiling).count());
  if (!p99_ns_) return floor;
  const auto wanted =
      static_cast<std::uint64_t>(settings_.slow_read_factor * static_cast<double>(*p99_ns_));
  return std::clamp(wanted, floor, std::max(floor, ceiling));
}

}  // namespace switchback
