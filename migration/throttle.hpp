// How fast a copy may go. Signals are judged a few times a second: while any of them is past its
// limit the copy's share of time shrinks by a third each time, else it grows slowly back (additive
// increase, multiplicative decrease). Between two judgements each step of the copy asks how long to
// wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/migration_settings.hpp"

namespace switchback {

// What is looked at. An absent p99: too little traffic to tell.
struct ThrottleReading {
  std::optional<double> read_p99_us = std::nullopt;
  std::optional<double> write_p99_us = std::nullopt;
  std::optional<double> read_p99_before_us = std::nullopt;  // before the copy
  std::optional<double> write_p99_before_us = std::nullopt;
  double lag_ms = 0;
  double load_per_core = 0;
  double memory_share = 0;
  double disk_free_bytes = 0;
  double disk_total_bytes = 0;  // 0 = unknown
};

struct ThrottleSignal {
  std::string name;
  std::optional<double> value;  // absent: nothing to measure
  double limit = 0;
  bool is_limiting = false;
};

// Thread-safe.
class Throttle {
 public:
  // Without traffic before the copy there is nothing to compare with: these serve as limits then.
  static constexpr double kReadP99FloorUs = 1000;
  static constexpr double kWriteP99FloorUs = 20000;
  // A p99 within this of what it was is not told from noise.
  static constexpr double kReadSlackUs = 20;
  static constexpr double kWriteSlackUs = 100;
  static constexpr double kPaceMin = 0.02;
  // A small disk is not full for having less free than a large one should.
  static constexpr double kDiskFreeShareMax = 0.05;
  static constexpr std::size_t kChunkBytesMin = 256u << 10;

  void Judge(const ThrottleReading& reading, const MigrationSettings& settings) SB_EXCLUDES(mutex_);

  // How long to wait before the next step, after one that took `took` and carried so much.
  [[nodiscard]] std::chrono::milliseconds PauseAfter(std::chrono::nanoseconds took,
                                                     std::uint64_t records,
                                                     std::uint64_t bytes) const SB_EXCLUDES(mutex_);
  // Of `full`, what a step should carry at the pace of now.
  [[nodiscard]] std::size_t ChunkBytes(std::size_t full) const SB_EXCLUDES(mutex_);
  // kBusy with the signal and its limit while the copy has to stand still.
  [[nodiscard]] Status MayGoOn() const SB_EXCLUDES(mutex_);

  // The share of time that the copy may take, 0.02..1.
  [[nodiscard]] double pace() const SB_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<ThrottleSignal> Signals() const SB_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  MigrationSettings settings_ SB_GUARDED_BY(mutex_);
  double pace_ SB_GUARDED_BY(mutex_) = 1;
  std::string stop_reason_ SB_GUARDED_BY(mutex_);
  std::vector<ThrottleSignal> signals_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
