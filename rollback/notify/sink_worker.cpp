#include "rollback/notify/sink_worker.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "migration/journal.hpp"

namespace switchback {

SinkWorker::SinkWorker(std::string name, std::unique_ptr<NotificationSink> sink,
                       NotificationFilter filter, Spool& spool, const Clock& clock,
                       const RetryPolicy& retry)
    : name_(std::move(name)),
      sink_(std::move(sink)),
      filter_(std::move(filter)),
      spool_(spool),
      clock_(clock),
      policy_(retry),
      retry_(retry),
      dice_(std::random_device()()) {
  status_.name = name_;
  status_.kind = sink_->kind();
  status_.target = sink_->target();
  status_.events = filter_.wanted();
}

void SinkWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SinkWorker::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void SinkWorker::Wake() {
  MutexLock lock(mutex_);
  is_woken_ = true;
  wake_.NotifyAll();
}

void SinkWorker::AddDropped(std::uint64_t count) {
  MutexLock lock(mutex_);
  status_.dropped += count;
}

void SinkWorker::Run() {
  while (!is_stopping_) {
    if (Step()) continue;
    MutexLock lock(mutex_);
    while (!is_stopping_) {
      const auto resume_at = retry_.resume_at();
      if (resume_at) {
        if (clock_.Now() >= *resume_at || !wake_.WaitUntil(mutex_, *resume_at)) break;
      } else if (is_woken_) {
        break;
      } else {
        wake_.Wait(mutex_);
      }
    }
    is_woken_ = false;
  }
}

bool SinkWorker::IsHeld() const {
  MutexLock lock(mutex_);
  return retry_.resume_at() && clock_.Now() < *retry_.resume_at();
}

bool SinkWorker::Step() {
  if (IsHeld()) return false;
  const auto delivery = spool_.Next(name_);
  if (!delivery) {
    MutexLock lock(mutex_);
    retry_.OnAnswer();  // nothing left to repeat
    return is_woken_ && std::exchange(is_woken_, false);
  }
  if (clock_.WallNow() - delivery->notification.time >= policy_.age_max) {
    GiveUp(*delivery);
    return true;
  }
  const SinkOutcome outcome =
      sink_->Send(delivery->notification, [this] { return is_stopping_.load(); });
  // One that the stop has cut off says nothing about the receiver.
  if (is_stopping_ && outcome.kind == SinkOutcome::Kind::kFailed) return false;
  Settle(*delivery, outcome);
  return outcome.kind != SinkOutcome::Kind::kFailed;
}

void SinkWorker::GiveUp(const Delivery& delivery) {
  LogError("notification {} ({}) is given up: {} has not taken it for {} s",
           delivery.notification.id, delivery.notification.kind, name_, policy_.age_max.count());
  spool_.Remove(name_, delivery);
  MutexLock lock(mutex_);
  ++status_.expired;
}

void SinkWorker::Settle(const Delivery& delivery, const SinkOutcome& outcome) {
  const bool is_failed = outcome.kind == SinkOutcome::Kind::kFailed;
  if (is_failed) {
    spool_.AddAttempt(name_, delivery);
  } else {
    spool_.Remove(name_, delivery);
  }
  Note(delivery.notification, outcome);
  MutexLock lock(mutex_);
  if (!is_failed) {
    if (retry_.failures() > 0) LogInfo("notifications: {} answers again", name_);
    retry_.OnAnswer();
    return;
  }
  // The first of a row only: what goes on for a day must not fill the log.
  if (retry_.failures() == 0)
    LogWarning("notifications: {} could not be told: {}; it is tried again", name_, outcome.text);
  retry_.OnFailure(clock_.Now(), std::uniform_real_distribution<double>(0, 1)(dice_),
                   outcome.retry_after);
}

void SinkWorker::Note(const Notification& notification, const SinkOutcome& outcome) {
  std::string target = sink_->target();  // it may come from a file that has changed
  MutexLock lock(mutex_);
  status_.target = std::move(target);
  switch (outcome.kind) {
    case SinkOutcome::Kind::kDelivered: ++status_.delivered; break;
    case SinkOutcome::Kind::kFailed: ++status_.failed; break;
    case SinkOutcome::Kind::kRefused:
      ++status_.refused;
      LogError("notification {} ({}): {} does not want it: {}; it is not sent again",
               notification.id, notification.kind, name_, outcome.text);
      break;
  }
  status_.last_time = FormatUtc(clock_.WallNow());
  status_.last_outcome = SinkOutcomeName(outcome.kind);
  status_.last_text = outcome.text;
  status_.last_id = notification.id;
}

SinkOutcome SinkWorker::Test(const Notification& notification,
                             const std::function<bool()>& is_cancelled) {
  auto outcome = sink_->Send(notification, is_cancelled);
  Note(notification, outcome);
  if (outcome.kind != SinkOutcome::Kind::kDelivered) return outcome;
  // It is back: what waits need not wait for longer.
  MutexLock lock(mutex_);
  retry_.OnAnswer();
  is_woken_ = true;
  wake_.NotifyAll();
  return outcome;
}

SinkStatus SinkWorker::GetStatus() const {
  const std::uint64_t waiting = spool_.Count(name_);
  MutexLock lock(mutex_);
  SinkStatus status = status_;
  status.waiting = waiting;
  if (retry_.resume_at()) {
    const std::chrono::duration<double> left = *retry_.resume_at() - clock_.Now();
    status.next_attempt_seconds = std::max(0.0, left.count());
  }
  return status;
}

}  // namespace switchback
