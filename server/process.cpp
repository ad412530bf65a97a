#include "server/process.hpp"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <utility>

#include "common/check.hpp"
#include "common/file.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

// SIGUSR2 ends the waiting thread itself; nobody else sends it to that thread.
constexpr int kEndSignal = SIGUSR2;
// A signal this soon after the first is the same wish: timeout(1) sends each one twice, and a
// terminal's Ctrl-C may reach a script's child by two ways.
constexpr std::chrono::milliseconds kSameSignal{500};

sigset_t StopSignals(StopSignal::Hangup hangup) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, kEndSignal);
  if (hangup == StopSignal::Hangup::kIsHandled) sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

StopSignal::StopSignal(Hangup hangup) : hangup_(hangup) {
  const sigset_t signals = StopSignals(hangup_);
  SB_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0, "signals can be blocked");
  // A client that has gone must be an error of its socket, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { Run(); });
}

StopSignal::~StopSignal() {
  {
    const MutexLock lock(mutex_);
    is_ending_ = true;
  }
  pthread_kill(thread_.native_handle(), kEndSignal);
  thread_.join();
  // What came for this object and was not taken must not stop the next one.
  const sigset_t signals = StopSignals(hangup_);
  const timespec no_wait{};
  while (sigtimedwait(&signals, nullptr, &no_wait) > 0) {
  }
}

void StopSignal::Run() {
  const sigset_t signals = StopSignals(hangup_);
  std::chrono::steady_clock::time_point first;
  while (true) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const auto now = std::chrono::steady_clock::now();
    const MutexLock lock(mutex_);
    if (is_ending_) return;
    if (signal == kEndSignal) continue;
    if (signal == SIGHUP) {
      if (!on_hangup_) has_hung_up_ = true;
      if (!has_come_ && on_hangup_) on_hangup_();
      continue;
    }
    if (has_come_) {
      if (now - first < kSameSignal) continue;
      LogWarning("second signal: stopping at once");
      ::_exit(1);
    }
    first = now;
    has_come_ = true;
    changed_.NotifyAll();
  }
}

void StopSignal::Wait() {
  const MutexLock lock(mutex_);
  while (!has_come_) changed_.Wait(mutex_);
}

bool StopSignal::WaitFor(std::chrono::milliseconds duration) {
  const auto deadline = std::chrono::steady_clock::now() + duration;
  const MutexLock lock(mutex_);
  while (!has_come_) {
    if (!changed_.WaitUntil(mutex_, deadline)) return has_come_;
  }
  return true;
}

void StopSignal::OnHangup(std::function<void()> handle) {
  const MutexLock lock(mutex_);
  on_hangup_ = std::move(handle);
  if (std::exchange(has_hung_up_, false) && !has_come_) on_hangup_();
}

bool StopSignal::has_come() const {
  const MutexLock lock(mutex_);
  return has_come_;
}

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void NotifyServiceManager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if (size >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return;
  const auto address_size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  const ssize_t sent = ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), address_size);
  if (sent < 0) LogWarning("tell the service manager {}: {}", state, std::strerror(errno));
}

std::optional<std::chrono::milliseconds> WatchdogPeriod() {
  const auto number = [](const char* variable) -> std::uint64_t {
    const char* text = std::getenv(variable);
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  };
  const std::uint64_t pid = number("WATCHDOG_PID");
  if (pid != 0 && pid != static_cast<std::uint64_t>(::getpid())) return std::nullopt;
  const std::uint64_t milliseconds = number("WATCHDOG_USEC") / 1000;
  // None, or nonsense: a day between two signs of life watches over nothing.
  if (milliseconds == 0 || milliseconds > 86'400'000) return std::nullopt;
  return std::chrono::milliseconds(milliseconds);
}

std::string HostName() {
  char host[256] = {};
  return ::gethostname(host, sizeof host - 1) == 0 ? host : "";
}

std::string LocalUser() {
  const passwd* user = ::getpwuid(::getuid());
  return (user != nullptr ? std::string(user->pw_name) : std::to_string(::getuid())) + "@" +
         HostName();
}

Status ActAsOwner(const std::string& directory) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(directory.c_str(), &info) != 0 || info.st_uid == 0) return {};
  const passwd* user = ::getpwuid(info.st_uid);
  const std::string name = user != nullptr ? user->pw_name : std::to_string(info.st_uid);
  const bool has_groups =
      user != nullptr ? ::initgroups(name.c_str(), info.st_gid) == 0 : ::setgroups(0, nullptr) == 0;
  if (!has_groups || ::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0)
    return FailErrno("act as " + name + ", who owns " + directory, errno);
  std::cerr << "switchback: acting as " << name << ", who owns " << directory << "\n";
  return {};
}

}  // namespace switchback
