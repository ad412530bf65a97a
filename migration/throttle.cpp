#include "migration/throttle.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr double kSlowDown = 0.67;
constexpr double kSpeedUp = 1.1;
constexpr double kSpeedUpStep = 0.01;

ThrottleSignal LatencySignal(const char* name, std::optional<double> now,
                             std::optional<double> before, double ratio_max, double floor,
                             double slack) {
  ThrottleSignal signal{name, now, 0, false};
  signal.limit = before ? std::max(*before * ratio_max, *before + slack) : floor;
  signal.is_limiting = ratio_max > 0 && now && *now > signal.limit;
  return signal;
}

ThrottleSignal CeilingSignal(const char* name, double value, double limit) {
  return {name, value, limit, limit > 0 && value > limit};
}

std::vector<ThrottleSignal> SignalsOf(const ThrottleReading& reading,
                                      const MigrationSettings& settings) {
  const double ratio = settings.p99_ratio_max;
  std::vector<ThrottleSignal> signals{
      LatencySignal("read_p99_us", reading.read_p99_us, reading.read_p99_before_us, ratio,
                    Throttle::kReadP99FloorUs, Throttle::kReadSlackUs),
      LatencySignal("write_p99_us", reading.write_p99_us, reading.write_p99_before_us, ratio,
                    Throttle::kWriteP99FloorUs, Throttle::kWriteSlackUs),
      CeilingSignal("lag_ms", reading.lag_ms, static_cast<double>(settings.lag_ms_max)),
      CeilingSignal("load_per_core", reading.load_per_core, settings.load_max),
      CeilingSignal("memory_share", reading.memory_share, settings.throttle_memory_share_max)};
  auto disk_min = static_cast<double>(settings.disk_free_bytes_min);
  if (reading.disk_total_bytes > 0)
    disk_min = std::min(disk_min, reading.disk_total_bytes * Throttle::kDiskFreeShareMax);
  signals.push_back({"disk_free_bytes", reading.disk_free_bytes, disk_min,
                     disk_min > 0 && reading.disk_free_bytes < disk_min});
  return signals;
}

// A copy that goes on slowly would only use up the rest more slowly.
bool IsStopping(const ThrottleSignal& signal) {
  return signal.name == "memory_share" || signal.name == "disk_free_bytes";
}

}  // namespace

void Throttle::Judge(const ThrottleReading& reading, const MigrationSettings& settings) {
  std::vector<ThrottleSignal> signals = SignalsOf(reading, settings);
  MutexLock lock(mutex_);
  settings_ = settings;
  stop_reason_.clear();
  bool is_limited = false;
  for (const ThrottleSignal& signal : signals) {
    is_limited = is_limited || signal.is_limiting;
    if (signal.is_limiting && IsStopping(signal))
      stop_reason_ = fmt::format("the copy stands still: {} is {:.6g}, the limit is {:.6g}",
                                 signal.name, *signal.value, signal.limit);
  }
  pace_ = is_limited ? std::max(kPaceMin, pace_ * kSlowDown)
                     : std::min(1.0, pace_ * kSpeedUp + kSpeedUpStep);
  signals_ = std::move(signals);
  SB_CHECK(pace_ >= kPaceMin && pace_ <= 1, "the pace is a share");
}

std::chrono::milliseconds Throttle::PauseAfter(std::chrono::nanoseconds took, std::uint64_t records,
                                               std::uint64_t bytes) const {
  MutexLock lock(mutex_);
  const double seconds = std::chrono::duration<double>(took).count();
  double pause = seconds * (1 / pace_ - 1);
  const auto keep_rate = [&](std::uint64_t amount, std::uint64_t rate) {
    if (rate == 0) return;
    pause = std::max(pause, static_cast<double>(amount) / static_cast<double>(rate) - seconds);
  };
  keep_rate(records, settings_.records_per_second);
  keep_rate(bytes, settings_.bytes_per_second);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::max(0.0, pause) * 1000));
}

std::size_t Throttle::ChunkBytes(std::size_t full) const {
  MutexLock lock(mutex_);
  auto bytes = static_cast<std::size_t>(static_cast<double>(full) * pace_);
  // Ten steps a second keep a rate without bursts.
  if (settings_.bytes_per_second > 0)
    bytes = std::min<std::size_t>(bytes, settings_.bytes_per_second / 10);
  return std::clamp(bytes, std::min(kChunkBytesMin, full), full);
}

Status Throttle::MayGoOn() const {
  MutexLock lock(mutex_);
  if (stop_reason_.empty()) return {};
  return Fail(ErrorCode::kBusy, stop_reason_);
}

double Throttle::pace() const {
  MutexLock lock(mutex_);
  return pace_;
}

std::vector<ThrottleSignal> Throttle::Signals() const {
  MutexLock lock(mutex_);
  return signals_;
}

}  // namespace switchback
