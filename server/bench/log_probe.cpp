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

Result<HistogramSnapshot> LogProbe::Run(std::size_t bytes, std::chrono::nanoseconds duration) {
  SB_CHECK(bytes > 0 && bytes <= kFileBytes, "an append fits into the file");
  std::string record(bytes, '\0');
  Histogram latency;
  const auto end = std::chrono::steady_clock::now() + duration;
  auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t sequence = 0; begun < end; ++sequence) {
    FillValue(record, sequence, 1);
    if (offset_ + bytes > kFileBytes) offset_ = 0;
    begun = std::chrono::steady_clock::now();
    SB_RETURN_IF_ERROR(WriteAt(fd_.get(), record, offset_));
    if (fdatasync(fd_.get()) != 0) return FailErrno("sync of the probe", errno);
    latency.Record(std::chrono::steady_clock::now() - begun);
    offset_ += bytes;
  }
  HistogramSnapshot snapshot;
  latency.AddTo(snapshot);
  return snapshot;
}

}  // namespace switchback::bench
