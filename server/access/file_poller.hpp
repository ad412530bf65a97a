// Notices that files were replaced: looks once a second. For what is read seldom and need not be
// noticed within milliseconds: tokens and certificates.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/sync.hpp"

namespace switchback {

// Watch before Start; Start, Stop and the destructor belong to the owner.
class FilePoller {
 public:
  FilePoller() = default;
  ~FilePoller() { Stop(); }
  FilePoller(const FilePoller&) = delete;
  FilePoller& operator=(const FilePoller&) = delete;

  // Calls `on_change` on the poller's thread when one of the files is another one than at the last
  // look, or has another content by its times and size. The first look is now.
  void Watch(std::vector<std::string> paths, std::function<void()> on_change);
  void Start();
  void Stop() SB_EXCLUDES(mutex_);
  // Looks now, on the caller's thread; for tests, without Start.
  void Look();

 private:
  struct Mark {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec changed{};
    friend bool operator==(const Mark& a, const Mark& b) {
      return a.device == b.device && a.inode == b.inode && a.size == b.size &&
             a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec;
    }
  };
  struct Watched {
    std::vector<std::string> paths;
    std::vector<Mark> marks;
    std::function<void()> on_change;
  };
  static std::vector<Mark> MarksOf(const std::vector<std::string>& paths);
  void Run() SB_EXCLUDES(mutex_);

  std::vector<Watched> watched_;
  std::thread thread_;
  Mutex mutex_;
  CondVar stopping_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
};

}  // namespace switchback
