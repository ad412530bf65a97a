// The guard's decisions, as a pure state machine: samples in, verdicts out; no clock, no thread, no
// file.
//
// Why sums of evidence instead of windows and percentages: LMDB answers in about 1 us and SQLite in
// about 5 us, and both are fine, so anything relative rolls back at once; and a windowed rule that
// is looked at every second rolls a healthy system back within the hour (docs/guard.md).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rollback/guard/cusum.hpp"
#include "rollback/guard/guard_alert.hpp"
#include "rollback/guard/guard_sample.hpp"
#include "rollback/guard/guard_settings.hpp"
#include "rollback/guard/major_watch.hpp"
#include "rollback/guard/slow_threshold.hpp"

namespace switchback {

// How one stream stands: each value beside what it is held against.
struct GuardStreamStatus {
  GuardStream stream = GuardStream::kErrors;
  double sum = 0;
  double limit = 0;
  CusumRates rates;                          // in force now
  std::uint64_t count = 0, bad = 0;          // of the newest tick that had operations
  std::uint64_t count_all = 0, bad_all = 0;  // since it was reset
  std::optional<double> threshold_us;        // of slow reads and applies
  bool is_dry_run = false;
  std::uint64_t dry_trips = 0;  // it would have tripped so many times
};

struct GuardTrip {
  GuardStreamStatus stream;
  GuardSeverity severity = GuardSeverity::kCritical;
  std::string reason;  // for people
  bool is_dry_run = false;
};

struct GuardVerdict {
  std::optional<GuardTrip> trip;
  std::vector<GuardAlert> alerts;  // those that are new
};

class GuardMachine {
 public:
  explicit GuardMachine(const GuardSettings& settings);

  // Samples in the order of time, at least one each shortest tick of the streams.
  GuardVerdict Tick(const GuardSample& sample);
  // Begins anew, as after a re-arm: what was gathered counts for nothing.
  void Reset();

  [[nodiscard]] std::vector<GuardStreamStatus> Streams() const;
  // Errors that are too few to trip but too many to go on with a rollout; or no traffic to judge
  // by.
  [[nodiscard]] bool HoldsRamp() const { return ramp_.has_tripped() || is_idle_; }
  [[nodiscard]] double ramp_sum() const { return ramp_.sum(); }

 private:
  struct Stream {
    Cusum cusum;
    SteadyTime due_at{};
    GuardStreamStatus status;
    // Since the last tick of this stream.
    std::uint64_t count = 0, bad = 0;
  };

  void Gather(const GuardSample& sample);
  void GatherErrors(const GuardSample& sample);
  void GatherReads(const GuardSample& sample);
  void GatherApplies(const GuardSample& sample);
  std::uint64_t CountOverdue(const GuardSample& sample);
  void AdaptRates();
  void Step(Stream& stream, const GuardSample& sample, GuardVerdict& verdict);
  void WatchCorruption(const GuardSample& sample, GuardVerdict& verdict);
  void WatchRamp(const GuardSample& sample, GuardVerdict& verdict);
  void WatchMemory(const GuardSample& sample, GuardVerdict& verdict);
  [[nodiscard]] bool BothFail() const;
  Stream& Of(GuardStream stream) { return streams_[Index(stream)]; }

  const GuardSettings settings_;
  std::vector<Stream> streams_;
  Cusum ramp_;
  MajorWatch major_;
  bool is_idle_ = true;
  std::optional<GuardSample> last_;
  SlowThreshold slow_reads_;
  std::set<SteadyTime> counted_overdue_;
  // Errors of both roles over the last ten seconds, for what is common to both.
  struct Second {
    SteadyTime at;
    std::array<std::uint64_t, kRoleCount> operations{};
    std::array<std::uint64_t, kRoleCount> errors{};
  };
  std::deque<Second> seconds_;
  std::deque<std::pair<SteadyTime, std::uint64_t>> memory_;
  bool has_alerted_both_ = false;
  bool has_alerted_memory_ = false;
  bool has_alerted_ramp_ = false;
  std::optional<SteadyTime> ramp_tripped_at_;
  bool has_tripped_ = false;
};

}  // namespace switchback
