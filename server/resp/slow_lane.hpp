// A thread for the few commands that may take long (KEYS, DBSIZE, RANDOMKEY, INFO), so that they
// hold up no other connection of an io thread.
#pragma once

#include <memory>
#include <thread>

#include "common/sync.hpp"
#include "service/db_service.hpp"

namespace switchback {

class SlowJob {
 public:
  virtual ~SlowJob() = default;
  // On the lane's thread, with its session; ends the turn before it returns, and between parts of
  // long work. The job may be gone when this returns.
  virtual void RunSlow(Session& session) = 0;

 private:
  friend class SlowLane;
  SlowJob* next_in_lane_ = nullptr;
};

// Thread-safe. Jobs run one at a time in the order of submission; each connection has at most one,
// so that the queue is bounded by the number of clients.
class SlowLane {
 public:
  // `service` outlives this.
  explicit SlowLane(DbService& service) : service_(service) {}
  ~SlowLane() { Stop(); }

  void Start();
  // Runs what is queued to its end, then joins. Idempotent. Nothing may be submitted any more.
  void Stop() SB_EXCLUDES(mutex_);

  // `job` lives until it has run.
  void Submit(SlowJob& job) SB_EXCLUDES(mutex_);

 private:
  void Loop() SB_EXCLUDES(mutex_);

  DbService& service_;
  Mutex mutex_;
  CondVar changed_;
  SlowJob* first_ SB_GUARDED_BY(mutex_) = nullptr;
  SlowJob* last_ SB_GUARDED_BY(mutex_) = nullptr;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace switchback
