// Runs a load of several threads against a target, and cuts its time into windows that are counted
// apart: warm-up and measurement, or before and around a flip.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "server/bench/worker.hpp"

namespace switchback::bench {

// Start, EnterWindow, Stop and Result from one thread.
class LoadGenerator {
 public:
  // `target` outlives it.
  LoadGenerator(Target& target, LoadPlan plan, int window_count);
  ~LoadGenerator();  // Stop()
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;

  // Makes the clients and starts the threads in window 0. Error: a client could not be made,
  // nothing runs.
  Status Start();
  // Operations that begin from now on count in `window`; a window may be entered more than once.
  void EnterWindow(int window);
  // Ends the threads. Fine more than once.
  void Stop();
  // After Stop.
  [[nodiscard]] RunResult Result(int window) const;

 private:
  struct WindowTime {
    double seconds = 0;
    double cpu_seconds = 0;
  };
  void CloseWindow();

  Target& target_;
  const LoadPlan plan_;
  std::atomic<int> window_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::vector<WindowTime> times_;
  SteadyTime window_begun_;
  double window_begun_cpu_ = 0;
};

// Warm-up, then `duration` measured. Blocks for both.
Result<RunResult> RunLoad(Target& target, const LoadPlan& plan, std::chrono::nanoseconds warmup,
                          std::chrono::nanoseconds duration);

}  // namespace switchback::bench
