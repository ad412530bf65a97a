#include "server/bench/scenario/stage_times.hpp"

#include <chrono>

namespace switchback::bench {
namespace {

constexpr std::chrono::milliseconds kLookEvery{1};

}  // namespace

StageTimes::StageTimes(const BackupProgress& progress)
    : progress_(progress), thread_([this] { Run(); }) {}

const std::map<std::string, double>& StageTimes::Stop() {
  is_stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return ms_by_stage_;
}

void StageTimes::Run() {
  auto last = std::chrono::steady_clock::now();
  while (!is_stopping_) {
    const std::string stage = progress_.GetStatus().stage;
    std::this_thread::sleep_for(kLookEvery);
    const auto now = std::chrono::steady_clock::now();
    ms_by_stage_[stage] += std::chrono::duration<double, std::milli>(now - last).count();
    last = now;
  }
}

}  // namespace switchback::bench
