#include "server/resp/slow_lane.hpp"

#include "common/check.hpp"

namespace switchback {

void SlowLane::Start() {
  SB_CHECK(!thread_.joinable(), "a slow lane starts once");
  thread_ = std::thread([this] { Loop(); });
}

void SlowLane::Stop() {
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void SlowLane::Submit(SlowJob& job) {
  const MutexLock lock(mutex_);
  SB_CHECK(!is_stopping_, "no job comes after Stop");
  job.next_in_lane_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_in_lane_) = &job;
  last_ = &job;
  changed_.NotifyOne();
}

void SlowLane::Loop() {
  const std::unique_ptr<Session> session = service_.NewSession();
  while (true) {
    SlowJob* job = nullptr;
    {
      const MutexLock lock(mutex_);
      while (first_ == nullptr && !is_stopping_) changed_.Wait(mutex_);
      if (first_ == nullptr) return;
      job = first_;
      first_ = job->next_in_lane_;
      if (first_ == nullptr) last_ = nullptr;
    }
    job->RunSlow(*session);
  }
}

}  // namespace switchback
