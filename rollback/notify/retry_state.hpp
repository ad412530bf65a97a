// When a sink that has failed is tried again: a pure state machine, without clock and dice.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/clock.hpp"

namespace switchback {

struct RetryPolicy {
  std::chrono::milliseconds delay_min{1000};     // after the first failure
  std::chrono::milliseconds delay_max{300'000};  // it doubles up to this
  std::chrono::seconds age_max{24 * 3600};       // what is older is given up
};

// Belongs to one thread.
class RetryState {
 public:
  explicit RetryState(const RetryPolicy& policy) : policy_(policy) {}

  // The receiver answered, and not that it cannot: at once again.
  void OnAnswer();
  // It could not, for the so manieth time in a row. Waits between half of the delay and all of it,
  // as `dice` in [0, 1) says, so that many servers do not come back in step; and at least as long
  // as the receiver asked for, up to the age at which it is given up anyway.
  void OnFailure(SteadyTime now, double dice, std::optional<std::chrono::seconds> asked_for);

  // Nothing is sent before; nullopt: now.
  [[nodiscard]] std::optional<SteadyTime> resume_at() const { return resume_at_; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }
  // How long after `failures` of them in a row, without dice.
  [[nodiscard]] std::chrono::milliseconds Delay(std::uint32_t failures) const;

 private:
  const RetryPolicy policy_;
  std::uint32_t failures_ = 0;
  std::optional<SteadyTime> resume_at_;
};

}  // namespace switchback
