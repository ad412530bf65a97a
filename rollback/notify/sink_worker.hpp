// Brings what waits in the spool to one sink, one notification after the other. Its own thread for
// each sink, so that one that hangs holds up nobody else.
//
// After a failure the sink as a whole waits, so that a receiver that comes back is not run over by
// everything that has waited; what failed least goes first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "rollback/notify/retry_state.hpp"
#include "rollback/notify/sink.hpp"
#include "rollback/notify/sink_status.hpp"
#include "rollback/notify/spool.hpp"

namespace switchback {

// Thread-safe, but for Start and Stop, which belong to the owner.
class SinkWorker {
 public:
  // `spool` and `clock` outlive it.
  SinkWorker(std::string name, std::unique_ptr<NotificationSink> sink, NotificationFilter filter,
             Spool& spool, const Clock& clock, const RetryPolicy& retry);
  ~SinkWorker() { Stop(); }
  SinkWorker(const SinkWorker&) = delete;
  SinkWorker& operator=(const SinkWorker&) = delete;

  void Start();
  // Ends the attempt at hand. What waits, waits in the spool for the next start.
  void Stop() SB_EXCLUDES(mutex_);
  // There may be something new.
  void Wake() SB_EXCLUDES(mutex_);
  void AddDropped(std::uint64_t count) SB_EXCLUDES(mutex_);

  // At most one attempt, if one is due; true: look again at once. Blocks as the sink does. What the
  // thread does over and over; tests call it without one.
  bool Step() SB_EXCLUDES(mutex_);
  // One attempt besides, now, that is neither spooled nor repeated.
  SinkOutcome Test(const Notification& notification, const std::function<bool()>& is_cancelled)
      SB_EXCLUDES(mutex_);

  // At once: neither the disk nor the sink is asked.
  [[nodiscard]] SinkStatus GetStatus() const SB_EXCLUDES(mutex_);
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool Wants(std::string_view kind) const { return filter_.Wants(kind); }

 private:
  void Run() SB_EXCLUDES(mutex_);
  [[nodiscard]] bool IsHeld() const SB_EXCLUDES(mutex_);
  void GiveUp(const Delivery& delivery) SB_EXCLUDES(mutex_);
  void Settle(const Delivery& delivery, const SinkOutcome& outcome) SB_EXCLUDES(mutex_);
  void Note(const Notification& notification, const SinkOutcome& outcome) SB_EXCLUDES(mutex_);

  const std::string name_;
  const std::unique_ptr<NotificationSink> sink_;
  const NotificationFilter filter_;
  Spool& spool_;
  const Clock& clock_;
  const RetryPolicy policy_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::atomic<bool> is_stopping_{false};
  bool is_woken_ SB_GUARDED_BY(mutex_) = true;
  RetryState retry_ SB_GUARDED_BY(mutex_);
  std::minstd_rand dice_ SB_GUARDED_BY(mutex_);
  SinkStatus status_ SB_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace switchback
