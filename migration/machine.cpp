#include "migration/machine.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <thread>

#include "common/file.hpp"

namespace switchback {
namespace {

// The number behind `name` in a file of "name number" lines; 0 when there is none.
double NumberOf(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    double number = 0;
    if (word == name && file >> number) return number;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// The first number in the file; 0 when there is none ("max" in a control group).
double FirstNumber(const std::string& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? number : 0;
}

double MachineMemoryShare() {
  const double total = NumberOf("/proc/meminfo", "MemTotal:");
  const double available = NumberOf("/proc/meminfo", "MemAvailable:");
  return total > 0 ? 1 - available / total : 0;
}

// Control groups v2; their files are at the root of what a container sees.
double GroupMemoryShare() {
  const double limit = FirstNumber("/sys/fs/cgroup/memory.max");
  if (limit <= 0) return 0;
  const double used =
      FirstNumber("/sys/fs/cgroup/memory.current") - NumberOf("/sys/fs/cgroup/memory.stat", "file");
  return std::max(0.0, used / limit);
}

void ReadDisk(const std::string& path, MachineReading& reading) {
  struct statvfs info {};
  std::string at = path;
  while (::statvfs(at.c_str(), &info) != 0) {  // what is not there yet will be made in its parent
    if (at == "/" || at == ".") {
      reading.disk_free_bytes = std::numeric_limits<std::uint64_t>::max();
      return;
    }
    at = ParentDirectory(at);
  }
  reading.disk_free_bytes = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  reading.disk_total_bytes = static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
}

}  // namespace

MachineReading ReadMachine(const std::string& path) {
  MachineReading reading;
  reading.memory_share = std::max(MachineMemoryShare(), GroupMemoryShare());
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  reading.load_per_core = FirstNumber("/proc/loadavg") / cores;
  ReadDisk(path, reading);
  return reading;
}

}  // namespace switchback
