#include "flags/file_state.hpp"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "common/file.hpp"

namespace switchback {
namespace {

constexpr int kReadAttemptCountMax = 4;

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileState StateOf(const struct stat& info) {
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .bytes = info.st_size,
          .mtime_ns = Nanoseconds(info.st_mtim),
          .ctime_ns = Nanoseconds(info.st_ctim)};
}

Result<struct stat> Fstat(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FailErrno("stat " + path, errno);
  return info;
}

// What has been read of the open file, at most one byte past `bytes_max`.
Result<std::string> ReadOpenFile(const std::string& path, int fd, std::size_t bytes_max) {
  std::string text(bytes_max + 1, '\0');
  auto bytes = ReadAt(fd, text.data(), text.size(), 0);
  if (!bytes) return Fail(WithContext(bytes.error(), path));
  if (*bytes > bytes_max) {
    return Fail(ErrorCode::kTooLarge,
                path + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
  text.resize(*bytes);
  text.shrink_to_fit();
  return text;
}

}  // namespace

Result<FileState> StatFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FailErrno("stat " + path, errno);
  return StateOf(info);
}

Result<FileContent> ReadFileContent(const std::string& path, std::size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO that somebody put there would block for ever otherwise.
  auto fd = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return Fail(fd.error());
  for (int attempt = 0; attempt < kReadAttemptCountMax; ++attempt) {
    auto before = Fstat(path, fd->get());
    if (!before) return Fail(before.error());
    if (!S_ISREG(before->st_mode)) {
      return Fail(ErrorCode::kInvalidArgument, path + " is not a regular file");
    }
    auto text = ReadOpenFile(path, fd->get(), bytes_max);
    if (!text) return Fail(text.error());
    auto after = Fstat(path, fd->get());
    if (!after) return Fail(after.error());
    if (StateOf(*before) == StateOf(*after)) {
      return FileContent{.state = StateOf(*after), .text = std::move(*text)};
    }
  }
  return Fail(ErrorCode::kBusy, path + " is being written");
}

}  // namespace switchback
