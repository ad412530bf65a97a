// The machine's clock, moved forward by hand: a test makes ten seconds pass without waiting.
#pragma once

#include <atomic>
#include <chrono>

#include "common/clock.hpp"

namespace switchback::test {

// Thread-safe.
class ShiftedClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(shift_ms_.load());
  }
  [[nodiscard]] WallTime WallNow() const override {
    return std::chrono::system_clock::now() + std::chrono::milliseconds(shift_ms_.load());
  }
  void Advance(std::chrono::milliseconds time) { shift_ms_ += time.count(); }

 private:
  std::atomic<std::int64_t> shift_ms_{0};
};

}  // namespace switchback::test
