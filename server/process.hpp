// What a long-running process arranges with its surroundings: signals, limits, the service manager.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "common/result.hpp"
#include "common/sync.hpp"

namespace switchback {

// SIGTERM and SIGINT as a condition to wait for. Make one before any other thread is started: the
// signals are blocked from then on, for threads made later as well. The first signal ends Wait, a
// second one, more than half a second later, ends the process at once with exit code 1. SIGHUP does
// what OnHangup says, if it is told anything; else it ends the process as ever.
class StopSignal {
 public:
  enum class Hangup : std::uint8_t { kEnds, kIsHandled };
  explicit StopSignal(Hangup hangup = Hangup::kEnds);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Blocks until the first signal has come; at once when it has already.
  void Wait() SB_EXCLUDES(mutex_);
  [[nodiscard]] bool has_come() const SB_EXCLUDES(mutex_);
  // Called for each SIGHUP until the first stop signal, on a thread of this object, with its lock
  // held: Wait returns after it. For those that came before, once, and at once.
  void OnHangup(std::function<void()> handle) SB_EXCLUDES(mutex_);
  // Returns false when `duration` passed without a signal.
  bool WaitFor(std::chrono::milliseconds duration) SB_EXCLUDES(mutex_);

 private:
  void Run() SB_EXCLUDES(mutex_);

  mutable Mutex mutex_;
  CondVar changed_;
  bool has_come_ SB_GUARDED_BY(mutex_) = false;
  bool is_ending_ SB_GUARDED_BY(mutex_) = false;
  bool has_hung_up_ SB_GUARDED_BY(mutex_) = false;  // before there was somebody to tell
  std::function<void()> on_hangup_ SB_GUARDED_BY(mutex_);
  const Hangup hangup_;
  std::thread thread_;
};

// Raises the limit of open files to the most that the system allows this process. Harmless when it
// cannot.
void RaiseFileLimit();

// Tells a service manager that waits for it (systemd's Type=notify: NOTIFY_SOCKET is set) the
// `state`, as "READY=1" or "STOPPING=1". Harmless otherwise.
void NotifyServiceManager(std::string_view state);

// How often at least a service manager wants to hear "WATCHDOG=1" (systemd's WatchdogSec:
// WATCHDOG_USEC is set, for this process); nullopt when none does.
std::optional<std::chrono::milliseconds> WatchdogPeriod();

// Of this machine; "" when it has none.
std::string HostName();

// "name@host" of whoever runs this process, for journals. ActAsOwner changes nothing about it.
std::string LocalUser();

// From here on root does everything as the owner of `directory`, and says so on standard error:
// what root made there would shut the owner's server out, and links there cannot lead root
// elsewhere. Nothing changes for others, in a directory of root's, and where there is none.
// Errors: kIo.
Status ActAsOwner(const std::string& directory);

}  // namespace switchback
