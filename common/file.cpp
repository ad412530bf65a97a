#include "common/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace switchback {

void UniqueFd::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<UniqueFd> OpenFile(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return FailErrno("open " + path, errno);
  return UniqueFd(fd);
}

Status WriteAt(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno("write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Status WriteZeros(int fd, std::uint64_t size, std::uint64_t offset) {
  constexpr std::uint64_t kChunkBytes = 1 << 20;
  const std::string zeros(static_cast<std::size_t>(std::min(size, kChunkBytes)), '\0');
  for (const std::uint64_t end = offset + size; offset < end; offset += zeros.size()) {
    const std::uint64_t chunk = std::min<std::uint64_t>(zeros.size(), end - offset);
    SB_RETURN_IF_ERROR(WriteAt(fd, std::string_view(zeros).substr(0, chunk), offset));
  }
  return {};
}

Result<std::size_t> ReadAt(int fd, char* buffer, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd, buffer + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::string> ReadWholeFile(const std::string& path, std::size_t bytes_max) {
  auto fd = OpenFile(path, O_RDONLY);
  if (!fd) return Fail(fd.error());
  std::string content;
  char chunk[65536];
  while (true) {
    auto got = ReadAt(fd->get(), chunk, sizeof chunk, content.size());
    if (!got) return Fail(WithContext(got.error(), path));
    if (*got == 0) return content;
    content.append(chunk, *got);
    if (content.size() > bytes_max)
      return Fail(ErrorCode::kTooLarge,
                  path + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
}

Status SyncDirectory(const std::string& path) {
  auto fd = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return Fail(fd.error());
  if (::fsync(fd->get()) != 0) return FailErrno("fsync " + path, errno);
  return {};
}

Status WriteFileAtomically(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    auto fd = OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!fd) return Fail(fd.error());
    if (auto written = WriteAt(fd->get(), content, 0); !written)
      return Fail(WithContext(written.error(), temporary));
    if (::fsync(fd->get()) != 0) return FailErrno("fsync " + temporary, errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return FailErrno("rename " + temporary, errno);
  return SyncDirectory(ParentDirectory(path));
}

Status MakeDirectories(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return Fail(ErrorCode::kIo, path + " is there and is not a directory");
  }
  const std::string parent = ParentDirectory(path);
  if (parent != path) SB_RETURN_IF_ERROR(MakeDirectories(parent));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return FailErrno("mkdir " + path, errno);
  return SyncDirectory(parent);
}

std::string ParentDirectory(const std::string& path) {
  const auto last = path.find_last_not_of('/');
  if (last == std::string::npos) return path.empty() ? "." : "/";
  const auto slash = path.rfind('/', last);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace switchback
