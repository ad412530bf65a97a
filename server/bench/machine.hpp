// What a figure was measured on: without it a figure says nothing.
#pragma once

#include <cstdint>
#include <string>

namespace switchback::bench {

struct MachineInfo {
  std::string cpu;
  unsigned cores = 0;
  std::uint64_t memory_bytes = 0;
  std::string kernel;
  std::string file_system;   // of the data directory: "ext4"; a tmpfs makes durable writes free
  std::string lmdb_version;  // of the libraries in use, not of the headers
  std::string sqlite_version;
  std::string measured_at;  // UTC, ISO 8601
};

// What cannot be found out is "unknown". Blocks for /proc and the disk.
MachineInfo DescribeMachine(const std::string& data_directory);

// True when fdatasync means nothing there.
bool IsMemoryFileSystem(const MachineInfo& machine);

// "model name" of the text of /proc/cpuinfo, or "unknown".
std::string CpuModelOf(const std::string& cpuinfo);

}  // namespace switchback::bench
