#include "rollback/notify/retry_state.hpp"

#include <algorithm>

namespace switchback {

void RetryState::OnAnswer() {
  failures_ = 0;
  resume_at_.reset();
}

std::chrono::milliseconds RetryState::Delay(std::uint32_t failures) const {
  auto delay = std::min(policy_.delay_min, policy_.delay_max);
  for (std::uint32_t i = 1; i < failures && delay < policy_.delay_max; ++i)
    delay = std::min(delay * 2, policy_.delay_max);
  return delay;
}

void RetryState::OnFailure(SteadyTime now, double dice,
                           std::optional<std::chrono::seconds> asked_for) {
  ++failures_;
  const auto delay = Delay(failures_);
  const auto part = static_cast<std::int64_t>(static_cast<double>(delay.count()) * dice / 2);
  auto wait = delay / 2 + std::chrono::milliseconds(part);
  if (asked_for) {
    const auto asked = std::min<std::chrono::milliseconds>(*asked_for, policy_.age_max);
    wait = std::max(wait, asked);
  }
  resume_at_ = now + wait;
}

}  // namespace switchback
