#include "server/bench/log_probe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/check.hpp"
#include "server/bench/record.hpp"

namespace switchback::bench {
namespace {

constexpr std::size_t kFillBytes = 1 << 20;

}  // namespace

Result<LogProbe> LogProbe::Create(const std::string& path) {
  auto fd = OpenFile(path, O_RDWR | O_CREAT | O_EXCL);
  if (!fd) return Fail(fd.error());
  const std::string zeros(kFillBytes, '\0');
  for (std::size_t offset = 0; offset < kFileBytes; offset += kFillBytes)
    SB_RETURN_IF_ERROR(WriteAt(fd->get(), zeros, offset));
  if (fsync(fd->get()) != 0) return FailErrno("sync " + path, errno);
  return LogProbe(std::move(*fd));
}

Result<std::chrono::nanoseconds> LogProbe::RunOnce(std::size_t bytes) {
  SB_CHECK(bytes > 0 && bytes <= kFileBytes, "an append fits into the file");
  record_.resize(bytes);
  FillValue(record_, ++sequence_, 1);
  if (offset_ + bytes > kFileBytes) offset_ = 0;
  const auto begun = std::chrono::steady_clock::now();
  SB_RETURN_IF_ERROR(WriteAt(fd_.get(), record_, offset_));
  if (fdatasync(fd_.get()) != 0) return FailErrno("sync of the probe", errno);
  offset_ += bytes;
  return std::chrono::steady_clock::now() - begun;
}

Result<HistogramSnapshot> LogProbe::Run(std::size_t bytes, std::chrono::nanoseconds duration) {
  Histogram latency;
  const auto end = std::chrono::steady_clock::now() + duration;
  while (std::chrono::steady_clock::now() < end) {
    const auto synced = RunOnce(bytes);
    if (!synced) return Fail(synced.error());
    latency.Record(*synced);
  }
  HistogramSnapshot snapshot;
  latency.AddTo(snapshot);
  return snapshot;
}

}  // namespace switchback::bench
