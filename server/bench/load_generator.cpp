#include "server/bench/load_generator.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "common/check.hpp"

namespace switchback::bench {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

LoadGenerator::LoadGenerator(Target& target, LoadPlan plan, int window_count)
    : target_(target), plan_(plan), times_(static_cast<std::size_t>(window_count)) {
  SB_CHECK(window_count > 0, "operations count in some window");
}

LoadGenerator::~LoadGenerator() {
  Stop();
}

Status LoadGenerator::Start() {
  SB_CHECK(threads_.empty(), "a load starts once");
  SB_RETURN_IF_ERROR(target_.Prepare());
  for (unsigned index = 0; index < plan_.threads; ++index) {
    auto client = target_.NewClient();
    if (!client) return Fail(client.error());
    workers_.push_back(std::make_unique<Worker>(
        target_, plan_, index, static_cast<int>(times_.size()), window_, std::move(*client)));
  }
  window_begun_ = std::chrono::steady_clock::now();
  window_begun_cpu_ = CpuSeconds();
  for (const auto& worker : workers_) {
    threads_.emplace_back([&worker = *worker, start = window_begun_] {
      // Sleeps of paced workers should end when asked, not up to 50 us later.
      prctl(PR_SET_TIMERSLACK, 1UL);
      worker.Run(start);
    });
  }
  return {};
}

void LoadGenerator::CloseWindow() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const double cpu = CpuSeconds();
  WindowTime& time = times_[static_cast<std::size_t>(window_.load())];
  time.seconds += std::chrono::duration<double>(now - window_begun_).count();
  time.cpu_seconds += cpu - window_begun_cpu_;
  window_begun_ = now;
  window_begun_cpu_ = cpu;
}

void LoadGenerator::EnterWindow(int window) {
  SB_CHECK(window >= 0 && static_cast<std::size_t>(window) < times_.size(), "a known window");
  SB_CHECK(!threads_.empty(), "windows belong to a running load");
  CloseWindow();
  window_.store(window);
}

void LoadGenerator::Stop() {
  if (threads_.empty()) return;
  CloseWindow();
  window_.store(kWindowStop);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

RunResult LoadGenerator::Result(int window) const {
  SB_CHECK(threads_.empty(), "results are read once the load has stopped");
  RunResult sum;
  for (const auto& worker : workers_) sum.Add(worker->Result(window));
  sum.seconds = times_.at(static_cast<std::size_t>(window)).seconds;
  sum.cpu_seconds = times_.at(static_cast<std::size_t>(window)).cpu_seconds;
  return sum;
}

Result<RunResult> RunLoad(Target& target, const LoadPlan& plan, std::chrono::nanoseconds warmup,
                          std::chrono::nanoseconds duration) {
  constexpr int kWarmup = 0;
  constexpr int kMeasured = 1;
  LoadGenerator load(target, plan, 2);
  SB_RETURN_IF_ERROR(load.Start());
  static_assert(kWarmup == 0, "a load starts in the first window");
  std::this_thread::sleep_for(warmup);
  load.EnterWindow(kMeasured);
  std::this_thread::sleep_for(duration);
  load.Stop();
  return load.Result(kMeasured);
}

}  // namespace switchback::bench
