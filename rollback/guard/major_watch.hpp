// Signs that call for a rollback, but not within the second: errors that come in bursts and heal in
// between, reads of unified that stay slower than legacy's. Pure: samples in, alerts out.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "rollback/guard/guard_alert.hpp"
#include "rollback/guard/guard_sample.hpp"
#include "rollback/guard/guard_settings.hpp"

namespace switchback {

class MajorWatch {
 public:
  explicit MajorWatch(const GuardSettings& settings) : settings_(settings) {}

  // Samples in the order of time. The alerts that are new.
  std::vector<GuardAlert> Look(const GuardSample& sample);
  void Reset();

 private:
  void LookForBursts(const GuardSample& sample, std::vector<GuardAlert>& alerts);
  void LookForSlowness(const GuardSample& sample, std::vector<GuardAlert>& alerts);

  const GuardSettings settings_;
  std::optional<GuardSample> second_, window_;  // where the second, the ten seconds began
  std::deque<SteadyTime> bursts_;               // seconds with too many errors
  std::deque<bool> was_slow_;                   // of the newest windows of ten seconds
  bool has_alerted_bursts_ = false;
  bool has_alerted_slowness_ = false;
};

}  // namespace switchback
