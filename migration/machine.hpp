// How loaded the machine is, as far as a copy has to care.
#pragma once

#include <cstdint>
#include <string>

namespace switchback {

struct MachineReading {
  // In use, 0..1: of the machine (what is not MemAvailable), or of the process's control group
  // (without its page cache), whichever is higher.
  double memory_share = 0;
  double load_per_core = 0;           // average over one minute
  std::uint64_t disk_free_bytes = 0;  // for unprivileged users, where `path` is
  std::uint64_t disk_total_bytes = 0;
};

// Reads /proc, /sys/fs/cgroup and statvfs: some 100 us, no waiting. What cannot be read is 0, and
// the disk then counts as empty (UINT64_MAX free), so that nothing is stopped for want of a file.
MachineReading ReadMachine(const std::string& path);

}  // namespace switchback
