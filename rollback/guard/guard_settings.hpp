// What the guard tolerates, stream by stream. Every number is configurable and shown beside the
// value that is held against it. The defaults and the simulations behind them: docs/guard.md.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "rollback/guard/cusum.hpp"

namespace switchback {

// What is watched, all of the unified role.
enum class GuardStream : std::uint8_t {
  kErrors,       // operations that failed, and reads still running at their deadline
  kSlowReads,    // reads that took longer than a threshold that follows legacy's p99
  kSlowApplies,  // looks at a follower that was further behind than a threshold that follows legacy
  kMismatches,   // records that shadow reads or a verify found to differ
};
inline constexpr std::size_t kGuardStreamCount = 4;
inline constexpr std::array<GuardStream, kGuardStreamCount> kGuardStreams{
    GuardStream::kErrors, GuardStream::kSlowReads, GuardStream::kSlowApplies,
    GuardStream::kMismatches};
constexpr std::size_t Index(GuardStream stream) {
  return static_cast<std::size_t>(stream);
}
const char* GuardStreamName(GuardStream stream);  // "errors" "slow_reads" "slow_applies" ...

struct GuardStreamSettings {
  CusumRates rates;
  std::chrono::milliseconds tick{100};
  unsigned ticks_min = 1;  // bad ticks that it takes at least
  bool is_dry_run = false;
};

// Who decides. Automatic: it goes back by itself. Assisted: it proposes to, and a person confirms.
// Manual: it only tells.
enum class GuardEscalation : std::uint8_t { kAutomatic, kAssisted, kManual };
const char* GuardEscalationName(GuardEscalation escalation);  // "automatic" "assisted" "manual"

struct GuardSettings {
  bool is_enabled = true;
  bool is_dry_run = false;  // of every stream: says what it would have done and changes nothing
  GuardEscalation escalation = GuardEscalation::kAutomatic;
  // A major finding leads back to legacy unless somebody dismisses it within this time; with
  // `escalation` automatic only.
  std::chrono::seconds acknowledge_within{3600};
  // ln(10^8): about that many good operations lie between two false alarms.
  double limit = 18.42;
  std::array<GuardStreamSettings, kGuardStreamCount> streams{{
      {{0.001, 0.01}, std::chrono::milliseconds(100), 3},
      {{0.01, 0.10}, std::chrono::milliseconds(250), 4},
      {{0.01, 0.10}, std::chrono::milliseconds(250), 8},
      {{0.00001, 0.001}, std::chrono::milliseconds(100), 1},
  }};
  // Errors at a rate between these only keep a rollout from going on.
  CusumRates ramp_rates{0.0001, 0.001};

  // A read is slow past `slow_read_factor` times legacy's p99 of the last ten seconds, and never
  // within the floor: at 1 us against 5 us nobody notices.
  double slow_read_factor = 3;
  std::chrono::microseconds slow_read_floor{1000};
  std::chrono::microseconds slow_read_ceiling{1'000'000};
  // A follower gathers for up to two seconds before it writes, by design: only what lies well past
  // that is late.
  double slow_apply_factor = 3;
  std::chrono::milliseconds slow_apply_floor{5000};
  std::chrono::milliseconds slow_apply_ceiling{60'000};
  // A read that has not come back by then counts as one that failed.
  std::chrono::milliseconds read_deadline{1000};

  // Of memory: growth by this much over an hour that shows no end is reported.
  std::uint64_t memory_growth_bytes = 256ull << 20;
  // So many starts in a row that did not live for `crash_window` with the flag on: the next one
  // comes up on legacy. 0 = never.
  unsigned crash_count_max = 3;
  std::chrono::seconds crash_window{60};

  [[nodiscard]] const GuardStreamSettings& Of(GuardStream stream) const {
    return streams[Index(stream)];
  }
  [[nodiscard]] bool IsDryRun(GuardStream stream) const {
    return is_dry_run || Of(stream).is_dry_run;
  }
};

}  // namespace switchback
