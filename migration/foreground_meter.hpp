// What clients feel: the p99 of reads and writes over about the last second, and over the time
// before a copy began.
#pragma once

#include <deque>
#include <optional>

#include "common/clock.hpp"
#include "service/histogram.hpp"

namespace switchback {

// The p99 of one kind of operation, from a histogram that only grows. One thread.
class LatencyMeter {
 public:
  static constexpr std::chrono::milliseconds kRecent{1000};
  static constexpr std::chrono::seconds kLong{30};
  // Fewer operations make no p99.
  static constexpr std::uint64_t kRecentCountMin = 50;
  static constexpr std::uint64_t kLongCountMin = 200;

  void Add(SteadyTime now, const HistogramSnapshot& total);
  // In microseconds, over about the last second; nullopt when too little was done.
  [[nodiscard]] std::optional<double> RecentP99() const;
  // The same over up to the last 30 s.
  [[nodiscard]] std::optional<double> LongP99() const;

 private:
  struct Sample {
    SteadyTime at;
    HistogramSnapshot total;
  };
  [[nodiscard]] std::optional<double> P99Since(std::chrono::milliseconds age,
                                               std::uint64_t count_min) const;
  std::deque<Sample> recent_;  // every sample of the last second
  std::deque<Sample> long_;    // one a second
};

}  // namespace switchback
