#include "backends/write_pacer.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <utility>

#include "common/failpoint.hpp"
#include "common/limits.hpp"

namespace switchback {
namespace {

// Writes to one file that have not been handed to the device yet.
struct Portion {
  int fd = -1;
  off_t begin = 0;
  off_t end = 0;
  std::size_t bytes = 0;
};

thread_local bool is_paced = false;
thread_local std::function<void()> on_portion;
thread_local std::function<bool()> is_waiting_wanted;
thread_local Portion portion;

// Errors that say something about the data; all others say that this file cannot be paced.
bool IsWriteError(int error) {
  return error == EIO || error == ENOSPC || error == EDQUOT;
}

// False with errno set.
bool WriteOut(const Portion& full) {
  if (auto failed = Failpoint("pacer.write"); !failed) {
    errno = failed.error().code == ErrorCode::kNoSpace ? ENOSPC : EIO;
    return false;
  }
  constexpr unsigned kWriteAndWait =
      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  const bool is_waiting = !is_waiting_wanted || is_waiting_wanted();
  const unsigned flags = is_waiting ? kWriteAndWait : SYNC_FILE_RANGE_WRITE;
  return ::sync_file_range(full.fd, full.begin, full.end - full.begin, flags) == 0 ||
         !IsWriteError(errno);
}

// After `written` bytes that end at `end`. What it returns is the write's result.
ssize_t AfterWrite(int fd, ssize_t written, off_t end) {
  if (written <= 0) return written;
  const off_t begin = end - written;
  if (portion.fd != fd) portion = {fd, begin, end, 0};
  portion.begin = std::min(portion.begin, begin);
  portion.end = std::max(portion.end, end);
  portion.bytes += static_cast<std::size_t>(written);
  if (portion.bytes < kPacedWriteBytes) return written;
  const Portion full = portion;
  portion = {};
  if (!WriteOut(full)) return -1;
  on_portion();
  return written;
}

ssize_t PacedPwrite(int fd, const void* bytes, std::size_t size, off_t offset) {
  const ssize_t written = ::pwrite(fd, bytes, size, offset);
  return is_paced ? AfterWrite(fd, written, offset + std::max<ssize_t>(written, 0)) : written;
}

ssize_t PacedWritev(int fd, const iovec* parts, int count) {
  const ssize_t written = ::writev(fd, parts, count);
  return is_paced && written > 0 ? AfterWrite(fd, written, ::lseek(fd, 0, SEEK_CUR)) : written;
}

}  // namespace

void PaceWritesOfThisThread(std::function<void()> on_progress, std::function<bool()> is_wanted) {
  on_portion = std::move(on_progress);
  is_waiting_wanted = std::move(is_wanted);
  is_paced = true;
}

Status PaceWrite(int fd, std::size_t bytes, std::uint64_t offset) {
  if (!is_paced || bytes == 0) return {};
  const auto written = static_cast<ssize_t>(bytes);
  if (AfterWrite(fd, written, static_cast<off_t>(offset + bytes)) >= 0) return {};
  return FailErrno("write a portion to the device", errno);
}

void InstallWritePacerInSqlite() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    static_assert(sizeof(off_t) == 8, "the same function for pwrite and pwrite64");
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    if (vfs == nullptr || vfs->iVersion < 3 || vfs->xSetSystemCall == nullptr) return;
    for (const char* name : {"pwrite", "pwrite64"}) {  // it uses the one it was built with
      if (vfs->xGetSystemCall(vfs, name) == nullptr) continue;
      vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(PacedPwrite));
    }
  });
}

}  // namespace switchback

// What LMDB calls in place of pwrite and writev, and where it says why it aborts: its static
// library is compiled for programs, and in a shared library such code cannot reach a variable
// elsewhere.
extern "C" {
extern __attribute__((visibility("hidden"))) FILE* switchback_lmdb_stderr;
ssize_t switchback_lmdb_pwrite(int fd, const void* bytes, std::size_t size, off_t offset);
ssize_t switchback_lmdb_writev(int fd, const iovec* parts, int count);
}

FILE* switchback_lmdb_stderr = stderr;

ssize_t switchback_lmdb_pwrite(int fd, const void* bytes, std::size_t size, off_t offset) {
  return switchback::PacedPwrite(fd, bytes, size, offset);
}

ssize_t switchback_lmdb_writev(int fd, const iovec* parts, int count) {
  return switchback::PacedWritev(fd, parts, count);
}
