#include "server/watchdog/watchdog.hpp"

#include <utility>

#include "common/log.hpp"

namespace switchback {

Watchdog::Watchdog(std::vector<WatchdogProbe> probes, std::chrono::milliseconds period,
                   std::function<void()> ping)
    : probes_(std::move(probes)), period_(period), ping_(std::move(ping)) {}

Watchdog::~Watchdog() {
  Stop();
}

void Watchdog::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Watchdog::Stop() {
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::CheckOnce() {
  std::string silent;
  for (const WatchdogProbe& probe : probes_) {
    if (probe.answers(period_ / 6)) continue;
    silent = probe.name;
    break;
  }
  if (silent.empty()) {
    if (!silent_.empty()) LogInfo("watchdog: {} answers again", silent_);
    ping_();
  } else if (silent != silent_) {
    LogWarning("watchdog: {} does not answer; the service manager may restart this process",
               silent);
  }
  silent_ = silent;
}

void Watchdog::Run() {
  do CheckOnce();
  while (Pause());
}

bool Watchdog::Pause() {
  const auto deadline = std::chrono::steady_clock::now() + period_ / 3;
  const MutexLock lock(mutex_);
  while (!is_stopping_) {
    if (!changed_.WaitUntil(mutex_, deadline)) break;
  }
  return !is_stopping_;
}

}  // namespace switchback
