// From when on a read of unified is slow: a multiple of legacy's p99 over the last ten seconds,
// between a floor and a ceiling. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "common/clock.hpp"
#include "rollback/guard/guard_settings.hpp"
#include "service/histogram.hpp"

namespace switchback {

class SlowThreshold {
 public:
  explicit SlowThreshold(const GuardSettings& settings) : settings_(settings) {}

  // `legacy` counts from the start of the process. Samples in the order of time.
  void Add(SteadyTime now, const HistogramSnapshot& legacy);
  [[nodiscard]] std::uint64_t ns() const;

 private:
  static constexpr std::chrono::seconds kWindow{10};
  static constexpr std::chrono::minutes kRemembered{5};  // a p99 counts for so long without traffic
  static constexpr std::uint64_t kCountMin = 200;        // reads that a p99 takes

  GuardSettings settings_;
  std::deque<std::pair<SteadyTime, HistogramSnapshot>> seconds_;
  std::optional<std::uint64_t> p99_ns_;
  SteadyTime p99_at_{};
};

}  // namespace switchback
