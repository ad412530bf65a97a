#include "flags/folder_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <utility>

#include "common/log.hpp"

namespace switchback {
namespace {

constexpr std::string_view kKubernetesLink = "..data";

// Longer chains of links are left to the poll.
constexpr int kLinkCountMax = 8;

constexpr std::uint32_t kFinished = IN_CLOSE_WRITE | IN_MOVED_TO;
constexpr std::uint32_t kBegun = IN_CREATE | IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t kFolderItself = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kWatchLost = IN_IGNORED | IN_UNMOUNT;

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Where the link `path` leads; nullopt when it is no link.
std::optional<std::string> LinkTarget(const std::string& path) {
  char buffer[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), buffer, sizeof buffer);
  if (size <= 0 || size == static_cast<ssize_t>(sizeof buffer)) return std::nullopt;
  std::string target(buffer, static_cast<std::size_t>(size));
  return target.front() == '/' ? target : ParentDirectory(path) + "/" + target;
}

}  // namespace

FolderWatch::FolderWatch(std::string path)
    : path_(std::move(path)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_.is_open()) {
    LogWarning("flags: no inotify ({}): changes show within a second instead of at once",
               std::strerror(errno));
  }
}

void FolderWatch::Arm() {
  if (!inotify_.is_open()) return;
  std::set<int> found;
  names_ = {std::string(kKubernetesLink)};
  std::optional<std::string> hop = path_;
  for (int links = 0; hop && links <= kLinkCountMax; ++links) {
    names_.insert(BaseName(*hop));
    Watch(ParentDirectory(*hop), found);
    hop = LinkTarget(*hop);
  }
  for (const int watch : watches_) {
    // A folder that was moved away or that no link leads to any more.
    if (!found.contains(watch)) ::inotify_rm_watch(inotify_.get(), watch);
  }
  watches_ = std::move(found);
}

void FolderWatch::Watch(const std::string& folder, std::set<int>& found) {
  // The kernel gives a folder that is watched already its old descriptor again, so this is also the
  // test whether the path still names the same folder.
  const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(),
                                        kFinished | kBegun | kFolderItself | IN_ONLYDIR);
  if (watch >= 0) found.insert(watch);
}

FolderEvent FolderWatch::Drain() {
  FolderEvent result = FolderEvent::kNone;
  alignas(inotify_event) char buffer[16 * 1024];
  while (inotify_.is_open()) {
    const ssize_t size = ::read(inotify_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;  // EAGAIN: nothing waits
    for (const char* next = buffer; next < buffer + size;) {
      inotify_event event;
      std::memcpy(&event, next, sizeof event);
      const std::string name = event.len > 0 ? next + sizeof event : "";
      result = std::max(result, Judge(event.wd, event.mask, name));
      next += sizeof event + event.len;
    }
  }
  return result;
}

FolderEvent FolderWatch::Judge(int watch, std::uint32_t mask, const std::string& name) {
  if ((mask & IN_Q_OVERFLOW) != 0) return FolderEvent::kReady;
  if (!watches_.contains(watch)) return FolderEvent::kNone;  // given up in Arm()
  if ((mask & kWatchLost) != 0) watches_.erase(watch);
  if ((mask & (kWatchLost | kFolderItself)) != 0) return FolderEvent::kTouched;
  if (!names_.contains(name)) return FolderEvent::kNone;
  return (mask & kFinished) != 0 ? FolderEvent::kReady : FolderEvent::kTouched;
}

}  // namespace switchback
