// What the disk itself allows: appends to a preallocated log, each followed by fdatasync.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/file.hpp"
#include "common/result.hpp"
#include "service/histogram.hpp"

namespace switchback::bench {

// One thread.
class LogProbe {
 public:
  // Makes a file of `kFileBytes` written zeros at `path`: overwriting what is allocated and written
  // syncs faster than growing a file, and it is what a commit log does.
  static Result<LogProbe> Create(const std::string& path);

  // Appends `bytes` and syncs, again and again for `duration`; from the start again at the end of
  // the file.
  Result<HistogramSnapshot> Run(std::size_t bytes, std::chrono::nanoseconds duration);

  // Appends and syncs once; how long it took.
  Result<std::chrono::nanoseconds> RunOnce(std::size_t bytes);

  static constexpr std::size_t kFileBytes = 32 << 20;

 private:
  explicit LogProbe(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::uint64_t offset_ = 0;
  std::uint64_t sequence_ = 0;
  std::string record_;
};

}  // namespace switchback::bench
