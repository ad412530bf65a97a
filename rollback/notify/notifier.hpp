// Tells those who do not watch: takes notifications from any part and brings each to every sink
// that wants its kind, at least once, also over a restart.
//
// (1) Publish never waits for a disk or a receiver: those who call it decide about data. A thread
// writes what was published to the spool at once, before anything is sent; a process that is killed
// within these milliseconds has told nobody. (2) A sink that hangs holds up neither the others nor
// the stop. (3) Everything is bounded: the oldest go first, counted and with a warning.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "rollback/notify/retry_state.hpp"
#include "rollback/notify/sink.hpp"
#include "rollback/notify/sink_worker.hpp"
#include "rollback/notify/spool.hpp"

namespace switchback {

inline constexpr std::size_t kNotificationsWaitingMax = 1000;

struct NotifierSink {
  std::string name;  // unlike all others
  NotificationFilter filter;
  std::unique_ptr<NotificationSink> sink;
};

struct NotifierOptions {
  std::string path;    // of the spool; not made when there are no sinks
  std::string source;  // which server this is, for receivers
  RetryPolicy retry;
  std::size_t waiting_max = kNotificationsWaitingMax;
};

struct TestOutcome {
  std::string sink;
  SinkOutcome outcome;
};

// Thread-safe, but for Start and Stop, which belong to the owner.
class Notifier {
 public:
  // `clock` outlives it. Without sinks it does nothing. Blocks for the disk.
  Notifier(NotifierOptions options, std::vector<NotifierSink> sinks, const Clock& clock);
  ~Notifier() { Stop(); }
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void Start();
  // What was published is in the spool on return; attempts at hand are cut off, within about a
  // second.
  void Stop() SB_EXCLUDES(mutex_);

  // Fills in id, time and source where they are empty. Returns at once; fine before Start and after
  // Stop, when the next start sends it (not after Stop).
  void Publish(Notification notification) SB_EXCLUDES(mutex_);

  // Sends a test to the sink of that name, or ("") to all at the same time, and waits for what
  // comes of it: some ten seconds at most for each that hangs. kNotFound: there is no such sink.
  Result<std::vector<TestOutcome>> Test(const std::string& sink);
  // Tests that run end soon, and new ones at once.
  void CancelTests() { is_test_cancelled_ = true; }

  [[nodiscard]] std::vector<SinkStatus> GetStatus() const;
  // Waits until what was published is in the spool.
  void Flush() SB_EXCLUDES(mutex_);

 private:
  void Run() SB_EXCLUDES(mutex_);
  void Keep(const Notification& notification);
  void CountDropped(const Spool::Dropped& dropped);

  const NotifierOptions options_;
  const Clock& clock_;
  std::unique_ptr<Spool> spool_;  // null without sinks
  std::vector<std::unique_ptr<SinkWorker>> workers_;
  std::atomic<bool> is_test_cancelled_{false};

  Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  bool is_keeping_ SB_GUARDED_BY(mutex_) = false;
  std::deque<Notification> published_ SB_GUARDED_BY(mutex_);  // not in the spool yet
  std::thread thread_;
};

}  // namespace switchback
