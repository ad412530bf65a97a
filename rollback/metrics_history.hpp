// Both roles side by side over time: what they did since the start, of late, and in each of the
// last ten minutes' portions; and the baseline, which is how legacy did before a rollout began.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "service/db_service.hpp"

namespace switchback {

// Of one role and operation (or of all its reads) in some time.
struct RoleFigures {
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;
  double per_second = 0;
  double error_percent = 0;
  double p50_us = 0, p95_us = 0, p99_us = 0, p999_us = 0;
};

struct MetricsPortion {
  WallTime at{};       // its end
  double seconds = 0;  // how long it is
  std::array<std::array<RoleFigures, kOperationCount>, kRoleCount> figures;
  double effective_percentage = 0;  // at its end
};

struct Baseline {
  std::string since;  // UTC
  double seconds = 0;
  std::array<RoleFigures, kOperationCount> legacy;
};

// How much worse unified is than legacy, in percent and absolutely; of the same operation.
struct Degradation {
  double p99_percent = 0;
  double p99_us = 0;
  double error_points = 0;  // of percent
};
Degradation DegradationOf(const RoleFigures& legacy, const RoleFigures& unified);

RoleFigures FiguresOf(const OperationCounts& counts, double seconds);

// Thread-safe.
class MetricsHistory {
 public:
  static constexpr std::chrono::seconds kPortion{10};
  static constexpr std::size_t kPortionCountMax = 60;  // ten minutes

  // All outlive it. Takes up the baseline that the journal has.
  MetricsHistory(DbService& service, Journal& journal, const Clock& clock);

  // Ends a portion when it is time; some times a second.
  void Look() SB_EXCLUDES(mutex_);

  // The oldest first.
  [[nodiscard]] std::vector<MetricsPortion> Portions() const SB_EXCLUDES(mutex_);
  // From some seconds ago, at most a minute, until now.
  [[nodiscard]] MetricsPortion OfLate() const SB_EXCLUDES(mutex_);
  [[nodiscard]] MetricsPortion SinceStart() const;
  [[nodiscard]] std::optional<Baseline> baseline() const SB_EXCLUDES(mutex_);

 private:
  struct Mark {
    SteadyTime at;
    MetricsSnapshot metrics;
  };
  [[nodiscard]] MetricsPortion Between(const Mark& from, const Mark& to) const;
  void TakeBaseline(const MetricsPortion& portion) SB_REQUIRES(mutex_);

  DbService& service_;
  Journal& journal_;
  const Clock& clock_;
  const SteadyTime started_;
  mutable Mutex mutex_;
  std::deque<Mark> marks_ SB_GUARDED_BY(mutex_);  // of the last minute
  std::deque<MetricsPortion> portions_ SB_GUARDED_BY(mutex_);
  std::optional<Baseline> baseline_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
