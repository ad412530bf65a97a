#include "migration/foreground_meter.hpp"

namespace switchback {

void LatencyMeter::Add(SteadyTime now, const HistogramSnapshot& total) {
  recent_.push_back({now, total});
  while (recent_.size() > 2 && now - recent_[1].at >= kRecent) recent_.pop_front();
  if (long_.empty() || now - long_.back().at >= std::chrono::seconds(1))
    long_.push_back({now, total});
  while (long_.size() > 2 && now - long_[1].at >= kLong) long_.pop_front();
}

std::optional<double> LatencyMeter::P99Since(std::chrono::milliseconds age,
                                             std::uint64_t count_min) const {
  const auto& samples = age > kRecent ? long_ : recent_;
  if (samples.empty()) return std::nullopt;
  HistogramSnapshot passed = recent_.back().total;
  passed -= samples.front().total;
  if (passed.Count() < count_min) return std::nullopt;
  return static_cast<double>(passed.QuantileNs(0.99)) / 1000;
}

std::optional<double> LatencyMeter::RecentP99() const {
  return P99Since(kRecent, kRecentCountMin);
}

std::optional<double> LatencyMeter::LongP99() const {
  return P99Since(kLong, kLongCountMin);
}

}  // namespace switchback
