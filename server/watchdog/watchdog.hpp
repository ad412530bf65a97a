// Signs of life for a service manager: one is given as long as everything that has to answer does.
// A process that is there and answers nobody is then restarted, as a crashed one is.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/sync.hpp"

namespace switchback {

struct WatchdogProbe {
  std::string name;  // "the RESP port", for the log
  // Whether it answers within `wait_max`. May block for as long.
  std::function<bool(std::chrono::milliseconds wait_max)> answers;
};

// Start and Stop belong to the owner.
class Watchdog {
 public:
  // `ping` is called at least three times in each `period` in which every probe answers; a probe
  // has a sixth of it for that.
  Watchdog(std::vector<WatchdogProbe> probes, std::chrono::milliseconds period,
           std::function<void()> ping);
  ~Watchdog();  // Stop()
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // From now on a thread of its own calls CheckOnce, at once and then every third of the period.
  void Start();
  // Ends the thread; waits for a probe that is under way. Idempotent.
  void Stop() SB_EXCLUDES(mutex_);

  // Asks every probe, and pings when all answered. Logs which one did not, and when it does again.
  // Not while the thread runs.
  void CheckOnce();

 private:
  void Run() SB_EXCLUDES(mutex_);
  // False when stopped meanwhile.
  bool Pause() SB_EXCLUDES(mutex_);

  const std::vector<WatchdogProbe> probes_;
  const std::chrono::milliseconds period_;
  const std::function<void()> ping_;
  std::string silent_;  // the probe that did not answer the last time; "" = all did
  Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace switchback
