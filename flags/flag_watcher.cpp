#include "flags/flag_watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

timespec ToTimespec(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

}  // namespace

FlagWatcher::FlagWatcher(std::string path, FlagStore& store, FlagLoadCallback on_load,
                         const Clock& clock)
    : clock_(clock),
      loader_(path, store, std::move(on_load)),
      watch_(std::move(path)),
      schedule_(clock.Now()),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  // Without it requests wait for the next poll, which is late and still right.
  if (!wake_.is_open()) LogWarning("flags: no eventfd: {}", std::strerror(errno));
}

FlagWatcher::~FlagWatcher() {
  Stop();
}

void FlagWatcher::Start() {
  MutexLock lock(mutex_);
  SB_CHECK(!thread_.joinable() && tickets_drawn_ == 0, "a watcher is started once");
  is_running_ = true;
  const std::uint64_t ticket = ++tickets_drawn_;  // the first load is a request of ours
  thread_ = std::thread([this] { Run(); });
  thread_id_ = thread_.get_id();
  while (tickets_served_ < ticket) changed_.Wait(mutex_);
}

void FlagWatcher::Stop() {
  {
    MutexLock lock(mutex_);
    is_running_ = false;
    changed_.NotifyAll();
  }
  if (!thread_.joinable()) return;
  Wake();
  thread_.join();
}

Status FlagWatcher::ReloadNow() {
  MutexLock lock(mutex_);
  SB_CHECK(thread_id_ != std::this_thread::get_id(), "on_load must not wait for its own watcher");
  const std::uint64_t ticket = ++tickets_drawn_;
  Wake();
  while (is_running_ && tickets_served_ < ticket) changed_.Wait(mutex_);
  if (tickets_served_ < ticket) {
    return Fail(ErrorCode::kCancelled, "reload the flags: the watcher is not running");
  }
  return last_load_;
}

void FlagWatcher::Run() {
  Reload(ReloadStep::kWait);
  while (WaitForWork()) {
    const SteadyTime now = clock_.Now();
    schedule_.OnEvent(watch_.Drain(), now);
    Reload(schedule_.TakeStep(now));
  }
}

bool FlagWatcher::WaitForWork() {
  std::array<pollfd, 2> waits{{{.fd = watch_.fd(), .events = POLLIN, .revents = 0},
                               {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
  const timespec timeout = ToTimespec(schedule_.TimeToNextStep(clock_.Now()));
  // Whatever ends the wait, a signal too, the caller looks at everything. poll() passes over a
  // descriptor of -1.
  (void)::ppoll(waits.data(), waits.size(), &timeout, nullptr);
  std::uint64_t wakes = 0;
  (void)!::read(wake_.get(), &wakes, sizeof wakes);
  MutexLock lock(mutex_);
  return is_running_;
}

void FlagWatcher::Reload(ReloadStep step) {
  std::uint64_t tickets = 0;
  {
    MutexLock lock(mutex_);
    tickets = tickets_drawn_;
    if (tickets_served_ < tickets) step = ReloadStep::kRead;
  }
  if (step == ReloadStep::kWait) return;
  // First watch, then read: a change after the read must find the watch in place.
  watch_.Arm();
  if (step == ReloadStep::kCheck) {
    loader_.Check();
    return;
  }
  Status status = loader_.Load();
  MutexLock lock(mutex_);
  tickets_served_ = tickets;
  last_load_ = std::move(status);
  changed_.NotifyAll();
}

void FlagWatcher::Wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

}  // namespace switchback
