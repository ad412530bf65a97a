// A rate that follows the last ten seconds or so.
#pragma once

#include <cmath>
#include <cstdint>

#include "common/clock.hpp"

namespace switchback {

// One thread.
class RateMeter {
 public:
  void Start(SteadyTime now) {
    last_ = now;
    rate_ = 0;
    is_known_ = false;
  }

  // `amount` was done since the last call. An exponentially weighted mean, each stretch weighted by
  // the time it took.
  void Add(std::uint64_t amount, SteadyTime now) {
    pending_ += amount;
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (seconds <= 0) return;
    const double weight = is_known_ ? 1.0 - std::exp(-seconds / kSeconds) : 1.0;
    rate_ += weight * (static_cast<double>(pending_) / seconds - rate_);
    is_known_ = true;
    pending_ = 0;
    last_ = now;
  }

  [[nodiscard]] double per_second() const { return rate_; }

 private:
  static constexpr double kSeconds = 10.0;
  SteadyTime last_{};
  std::uint64_t pending_ = 0;
  double rate_ = 0;
  bool is_known_ = false;
};

}  // namespace switchback
