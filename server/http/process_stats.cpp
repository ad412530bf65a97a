#include "server/http/process_stats.hpp"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "common/file.hpp"

namespace switchback {
namespace {

constexpr std::size_t kProcFileBytesMax = 65536;

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// The n-th field of /proc/self/stat counted as in proc(5), which starts at 1. The second one, the
// program's name in parentheses, may itself hold spaces, so counting begins behind it.
std::uint64_t StatField(int field) {
  const auto content = ReadWholeFile("/proc/self/stat", kProcFileBytesMax);
  if (!content) return 0;
  const auto name_end = content->rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(content->substr(name_end + 1));
  std::string value;
  for (int i = 3; i <= field; ++i) fields >> value;
  return std::strtoull(value.c_str(), nullptr, 10);
}

double BootTimeSeconds() {
  const auto content = ReadWholeFile("/proc/stat", 16 * kProcFileBytesMax);
  if (!content) return 0;
  const auto line = content->find("\nbtime ");
  if (line == std::string::npos) return 0;
  return std::strtod(content->c_str() + line + 7, nullptr);
}

std::uint64_t CountOpenFds() {
  std::error_code error;
  std::uint64_t count = 0;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // without the one that this loop holds
}

}  // namespace

ProcessStats ReadProcessStats() {
  constexpr int kStartTimeField = 22;
  constexpr int kResidentPagesField = 24;
  ProcessStats stats;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    stats.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  stats.resident_bytes =
      StatField(kResidentPagesField) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  stats.open_fds = CountOpenFds();
  stats.start_time_seconds = BootTimeSeconds() + static_cast<double>(StatField(kStartTimeField)) /
                                                     static_cast<double>(sysconf(_SC_CLK_TCK));
  return stats;
}

}  // namespace switchback
