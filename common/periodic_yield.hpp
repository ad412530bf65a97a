// Work that takes long gives way now and then.
#pragma once

#include <thread>

namespace switchback {

// A thread that wakes up waits for the one on its processor to come to the end of its slice, 3 ms
// (Linux 6.18), unless that one gives way: for a client that is a long time. Costs nothing to speak
// of while nobody waits. For one thread, and for steps of a microsecond or two.
class PeriodicYield {
 public:
  void Step() {
    if (++steps_ < kStepsInATurn) return;
    steps_ = 0;
    std::this_thread::yield();
  }

 private:
  static constexpr unsigned kStepsInATurn = 32;
  unsigned steps_ = 0;
};

}  // namespace switchback
