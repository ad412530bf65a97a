#include "server/access/file_poller.hpp"

#include <chrono>

namespace switchback {
namespace {

constexpr std::chrono::seconds kInterval{1};

}  // namespace

std::vector<FilePoller::Mark> FilePoller::MarksOf(const std::vector<std::string>& paths) {
  std::vector<Mark> marks;
  for (const std::string& path : paths) {
    struct stat info {};
    Mark mark;
    if (::stat(path.c_str(), &info) == 0)
      mark = {info.st_dev, info.st_ino, info.st_size, info.st_ctim};
    marks.push_back(mark);
  }
  return marks;
}

void FilePoller::Watch(std::vector<std::string> paths, std::function<void()> on_change) {
  auto marks = MarksOf(paths);
  watched_.push_back({std::move(paths), std::move(marks), std::move(on_change)});
}

void FilePoller::Start() {
  if (!watched_.empty()) thread_ = std::thread([this] { Run(); });
}

void FilePoller::Stop() {
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    stopping_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void FilePoller::Look() {
  for (Watched& watched : watched_) {
    auto marks = MarksOf(watched.paths);
    if (marks == watched.marks) continue;
    watched.marks = std::move(marks);
    watched.on_change();
  }
}

void FilePoller::Run() {
  while (true) {
    {
      const auto deadline = std::chrono::steady_clock::now() + kInterval;
      const MutexLock lock(mutex_);
      while (!is_stopping_ && stopping_.WaitUntil(mutex_, deadline)) {
      }
      if (is_stopping_) return;
    }
    Look();
  }
}

}  // namespace switchback
