#include "service/log_spares.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "common/file.hpp"
#include "common/limits.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kZeroChunkBytes = 1 << 20;
constexpr std::chrono::seconds kRetryInterval{1};
constexpr const char* kPrefix = "spare-";

}  // namespace

LogSpares::LogSpares(std::string directory, std::uint64_t file_bytes)
    : directory_(std::move(directory)), file_bytes_(file_bytes) {
  // Spares of an earlier run: whole ones are used, the rest deleted.
  if (DIR* listing = ::opendir(directory_.c_str()); listing != nullptr) {
    while (const dirent* entry = ::readdir(listing)) {
      const std::string name = entry->d_name;
      if (name.rfind(kPrefix, 0) != 0) continue;
      const std::string path = directory_ + "/" + name;
      struct stat info {};
      const bool is_whole = name.size() > 4 && name.substr(name.size() - 4) != ".tmp" &&
                            ::stat(path.c_str(), &info) == 0 &&
                            static_cast<std::uint64_t>(info.st_size) == file_bytes_;
      if (is_whole && ready_.size() < kLogSpareFileCountMax) {
        ready_.push_back(path);
        next_number_ =
            std::max<std::uint64_t>(next_number_, std::strtoull(name.c_str() + 6, nullptr, 10) + 1);
      } else {
        ::unlink(path.c_str());
      }
    }
    ::closedir(listing);
  }
  thread_ = std::thread([this] { Run(); });
}

LogSpares::~LogSpares() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

std::string LogSpares::SparePath(std::uint64_t number) const {
  return directory_ + "/" + kPrefix + std::to_string(number);
}

std::string LogSpares::Take() {
  MutexLock lock(mutex_);
  if (ready_.empty()) return "";
  std::string path = std::move(ready_.back());
  ready_.pop_back();
  wake_.NotifyAll();
  return path;
}

void LogSpares::Recycle(const std::string& path) {
  struct stat info {};
  const bool is_whole =
      ::stat(path.c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) == file_bytes_;
  std::string spare;
  {
    MutexLock lock(mutex_);
    if (is_whole && ready_.size() < kLogSpareFileCountMax) spare = SparePath(next_number_++);
  }
  // Its old name must be gone for good before anyone writes into it: after a power cut it would be
  // a file of the log whose header speaks of other batches.
  if (spare.empty() || ::rename(path.c_str(), spare.c_str()) != 0) {
    ::unlink(path.c_str());
  } else if (!SyncDirectory(directory_)) {
    ::unlink(spare.c_str());
  } else {
    MutexLock lock(mutex_);
    ready_.push_back(spare);
  }
}

bool LogSpares::MakeOne(const std::string& path) {
  const std::string temporary = path + ".tmp";
  const auto write_zeros = [&]() -> Status {
    auto fd = OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!fd) return Fail(fd.error());
    for (std::uint64_t offset = 0; offset < file_bytes_; offset += kZeroChunkBytes) {
      {
        MutexLock lock(mutex_);
        if (stop_) return Fail(ErrorCode::kCancelled, "stopping");
      }
      const std::uint64_t size = std::min(kZeroChunkBytes, file_bytes_ - offset);
      SB_RETURN_IF_ERROR(WriteZeros(fd->get(), size, offset));
      // A little at a time, so that the log's own syncs don't wait behind the whole file.
      if (::fdatasync(fd->get()) != 0) return FailErrno("fdatasync " + temporary, errno);
    }
    fd->Close();
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      return FailErrno("rename " + temporary, errno);
    return {};
  };
  if (write_zeros()) return true;
  ::unlink(temporary.c_str());
  return false;
}

void LogSpares::Run() {
  while (true) {
    std::string path;
    {
      MutexLock lock(mutex_);
      while (!stop_ && !ready_.empty()) wake_.Wait(mutex_);
      if (stop_) return;
      path = SparePath(next_number_++);
    }
    const bool made = MakeOne(path);
    MutexLock lock(mutex_);
    if (made) {
      ready_.push_back(path);
    } else if (!stop_) {
      wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() +
                                  kRetryInterval);  // no space, most likely: try again later
    }
  }
}

}  // namespace switchback
