#include "server/bench/machine.hpp"

#include <fmt/chrono.h>
#include <linux/magic.h>
#include <lmdb.h>
#include <sqlite3.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "common/file.hpp"

namespace switchback::bench {
namespace {

constexpr std::size_t kCpuinfoBytesMax = 1 << 20;
constexpr long kXfsMagic = 0x58465342;  // linux/magic.h of Debian 12 lacks it

std::string FileSystemOf(const std::string& directory) {
  struct statfs info {};
  if (statfs(directory.c_str(), &info) != 0) return "unknown";
  constexpr std::array<std::pair<long, const char*>, 5> kNames{
      {{EXT4_SUPER_MAGIC, "ext4"},
       {kXfsMagic, "xfs"},
       {BTRFS_SUPER_MAGIC, "btrfs"},
       {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
       {TMPFS_MAGIC, "tmpfs"}}};
  for (const auto& [magic, name] : kNames) {
    if (info.f_type == magic) return name;
  }
  return fmt::format("0x{:x}", info.f_type);
}

}  // namespace

std::string CpuModelOf(const std::string& cpuinfo) {
  const std::string label = "model name";
  const std::size_t line = cpuinfo.find(label);
  if (line == std::string::npos) return "unknown";
  const std::size_t colon = cpuinfo.find(": ", line);
  const std::size_t end = cpuinfo.find('\n', line);
  if (colon == std::string::npos || colon > end) return "unknown";
  return cpuinfo.substr(colon + 2, end - colon - 2);
}

MachineInfo DescribeMachine(const std::string& data_directory) {
  MachineInfo machine;
  machine.cpu = CpuModelOf(ReadWholeFile("/proc/cpuinfo", kCpuinfoBytesMax).value_or(""));
  machine.cores = std::thread::hardware_concurrency();
  machine.memory_bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  utsname name{};
  machine.kernel = uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
  machine.file_system = FileSystemOf(data_directory);
  int major = 0;
  int minor = 0;
  int patch = 0;
  mdb_version(&major, &minor, &patch);
  machine.lmdb_version = fmt::format("{}.{}.{}", major, minor, patch);
  machine.sqlite_version = sqlite3_libversion();
  machine.measured_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  return machine;
}

bool IsMemoryFileSystem(const MachineInfo& machine) {
  return machine.file_system == "tmpfs";
}

}  // namespace switchback::bench
