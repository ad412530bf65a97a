#include "server/transfer/output_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace switchback {
namespace {

constexpr std::size_t kBufferBytes = 1u << 20;

tl::unexpected<Error> Exists(const std::string& path) {
  return Fail(ErrorCode::kRefused, path + " is there already: --force replaces it");
}

}  // namespace

Result<OutputFile> OutputFile::Open(const std::string& path, bool may_replace) {
  if (path == "-") return OutputFile(path, UniqueFd(), may_replace);
  if (!may_replace && ::access(path.c_str(), F_OK) == 0) return Exists(path);
  auto fd = OpenFile(path + ".tmp", O_WRONLY | O_CREAT | O_NOFOLLOW);
  if (!fd) return Fail(fd.error());
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0)
    return Fail(ErrorCode::kConflict, "another process is writing " + path + ".tmp");
  // What a process that was killed has left.
  if (::ftruncate(fd->get(), 0) != 0)
    return Fail(ErrorCode::kIo, "empty " + path + ".tmp: " + std::strerror(errno));
  return OutputFile(path, *std::move(fd), may_replace);
}

OutputFile::~OutputFile() {
  if (fd_.is_open()) ::unlink(TemporaryPath().c_str());
}

Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? Status() : Flush();
}

Status OutputFile::Flush() {
  const int fd = is_standard() ? STDOUT_FILENO : fd_.get();
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t count = ::write(fd, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EPIPE)
      return Fail(ErrorCode::kCancelled, "nobody reads standard output any more");
    if (count < 0 && (errno == ENOSPC || errno == EDQUOT))
      return Fail(ErrorCode::kNoSpace, "write " + path_ +
                                           ": the disk is full; nothing of it is left behind. "
                                           "Make space, or --output elsewhere");
    if (count < 0) return Fail(ErrorCode::kIo, "write " + path_ + ": " + std::strerror(errno));
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  bytes_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status OutputFile::Commit() {
  SB_RETURN_IF_ERROR(Flush());
  if (is_standard()) return {};
  const std::string temporary = TemporaryPath();
  if (::fsync(fd_.get()) != 0)
    return Fail(errno == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo,
                "sync " + temporary + ": " + std::strerror(errno));
  const unsigned flags = may_replace_ ? 0 : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path_.c_str(), flags) != 0) {
    if (errno == EEXIST) return Exists(path_);
    return Fail(ErrorCode::kIo, "rename " + temporary + ": " + std::strerror(errno));
  }
  fd_.Close();
  return SyncDirectory(ParentDirectory(path_));
}

}  // namespace switchback
