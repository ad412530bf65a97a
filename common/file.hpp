// Files that are there after a power cut, and the few calls around them. No call here blocks but
// for the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.hpp"

namespace switchback {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Close(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  void Close();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC added and mode 0600. Error message: "open PATH: cause".
Result<UniqueFd> OpenFile(const std::string& path, int flags);

// Writes all of `bytes` at `offset`, going on after short writes and EINTR.
Status WriteAt(int fd, std::string_view bytes, std::uint64_t offset);
Status WriteZeros(int fd, std::uint64_t size, std::uint64_t offset);

// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
Result<std::size_t> ReadAt(int fd, char* buffer, std::size_t size, std::uint64_t offset);

// The whole file, at most `bytes_max` (kTooLarge above). kNotFound when there is none.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t bytes_max);

// fsync of the directory itself: without it a rename or a new file can vanish in a power cut.
Status SyncDirectory(const std::string& path);

// Replaces `path` so that after any crash it holds the old or the new content, durable on return:
// write PATH.tmp, fsync, rename, fsync of the directory. Mode 0600.
Status WriteFileAtomically(const std::string& path, std::string_view content);

// Makes `path` and its missing parents, mode 0700, and syncs each parent. Fine when it is there
// already.
Status MakeDirectories(const std::string& path);

// The directory part of `path`, "." when it has none.
std::string ParentDirectory(const std::string& path);

}  // namespace switchback
