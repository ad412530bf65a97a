#include "common/remove_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/file.hpp"

namespace switchback {
namespace {

constexpr off_t kStepBytes = 1 << 20;

// Harmless where it fails: the file is removed anyway.
void Shrink(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!file.is_open() || ::fstat(file.get(), &info) != 0) return;
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) return;
  for (off_t left = info.st_size; left > kStepBytes;) {
    left -= kStepBytes;
    if (::ftruncate(file.get(), left) != 0) return;
  }
}

}  // namespace

Status RemoveTree(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_regular_file(fs::symlink_status(path, ignored))) Shrink(path);
  for (fs::recursive_directory_iterator at(path, ignored), end; !ignored && at != end;
       at.increment(ignored)) {
    if (at->is_regular_file(ignored) && !at->is_symlink(ignored)) Shrink(at->path().string());
    ignored.clear();
  }
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return FailErrno("remove " + path, error.value());
  return {};
}

}  // namespace switchback
