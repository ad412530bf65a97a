#include "server/cli/lock_owner.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdlib>
#include <sstream>

#include "common/file.hpp"

namespace switchback {
namespace {

constexpr std::size_t kLocksBytesMax = 1u << 20;
constexpr std::size_t kPidBytesMax = 32;

// What the owner of a data directory has written into the file.
std::string WrittenPid(const std::string& path) {
  auto pid = ReadWholeFile(path, kPidBytesMax).value_or("");
  while (pid.ends_with('\n')) pid.pop_back();
  return pid;
}

}  // namespace

std::optional<std::int64_t> LockOwner(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return std::nullopt;
  const auto content = ReadWholeFile("/proc/locks", kLocksBytesMax);
  if (!content) return std::nullopt;
  const std::string inode = ":" + std::to_string(file.st_ino);
  const std::string wanted =
      fmt::format("{:02x}:{:02x}", major(file.st_dev), minor(file.st_dev)) + inode;
  const std::string written_pid = WrittenPid(path);
  std::istringstream lines(*content);
  for (std::string line; std::getline(lines, line);) {
    // "1: FLOCK  ADVISORY  WRITE 12345 fe:01:4242 0 EOF"
    std::istringstream fields(line);
    std::string number, kind, mode, access, pid, place;
    fields >> number >> kind >> mode >> access >> pid >> place;
    // On overlayfs and btrfs stat(2) names another device than the kernel does here.
    if (place == wanted || (place.ends_with(inode) && pid == written_pid))
      return std::strtoll(pid.c_str(), nullptr, 10);
  }
  return std::nullopt;
}

}  // namespace switchback
