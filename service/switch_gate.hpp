// Closed for the moment in which the service goes over to other stores: readers that find no store
// to read wait instead of failing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/sync.hpp"

namespace switchback {

// Thread-safe. Close and Open by turns, from one thread at a time.
class SwitchGate {
 public:
  // A switch takes tens of milliseconds; one that hangs must not hold its clients for ever.
  static constexpr std::chrono::seconds kWaitMax{10};

  void Close() { is_closed_.store(true); }
  void Open() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    is_closed_.store(false);
    openings_.fetch_add(1);
    opened_.NotifyAll();
  }
  [[nodiscard]] bool is_closed() const { return is_closed_.load(); }

  // How often it was opened. Ask before looking at the stores.
  [[nodiscard]] std::uint64_t openings() const { return openings_.load(); }
  // Whether what was found since `seen` may be the switch's doing: look again then. Waits while it
  // is closed; the caller must hold no snapshot, since the switch waits for those.
  bool WaitForOpening(std::uint64_t seen) SB_EXCLUDES(mutex_) {
    if (!is_closed() && openings() == seen) return false;
    const SteadyTime until = std::chrono::steady_clock::now() + kWaitMax;
    MutexLock lock(mutex_);
    while (is_closed()) {
      if (!opened_.WaitUntil(mutex_, until)) return !is_closed();
    }
    return true;
  }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  std::atomic<bool> is_closed_{false};
  std::atomic<std::uint64_t> openings_{0};
  Mutex mutex_;
  CondVar opened_;
};

// Opens it on every path out of a scope.
class ClosedSwitchGate {
 public:
  explicit ClosedSwitchGate(SwitchGate& gate) : gate_(gate) { gate_.Close(); }
  ~ClosedSwitchGate() { gate_.Open(); }
  ClosedSwitchGate(const ClosedSwitchGate&) = delete;
  ClosedSwitchGate& operator=(const ClosedSwitchGate&) = delete;

 private:
  SwitchGate& gate_;
};

}  // namespace switchback
