// Time, injected. Code that measures or waits takes a Clock, so that tests can set the time by
// hand.
#pragma once

#include <chrono>

namespace switchback {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime Now() const = 0;    // monotonic: for durations and deadlines
  [[nodiscard]] virtual WallTime WallNow() const = 0;  // can jump: for people only
};

// The machine's clocks. Lives as long as the process.
const Clock& SystemClock();

}  // namespace switchback
