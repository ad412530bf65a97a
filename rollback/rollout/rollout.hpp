// A progressive rollout in a running service: writes one share after the other into the flags file,
// holds or ends by what the guard and the stores say, and goes on after a restart. Its own thread.
// docs/operations.md says what each state means and who may do what.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "rollback/rollout/rollout_machine.hpp"
#include "rollback/rollout/rollout_plan.hpp"

namespace switchback {

struct RolloutParts {
  DbService& service;
  Journal& journal;
  const Clock& clock;
  std::string flags_path;
  // Puts what the file says into force before it returns.
  std::function<Status()> reload_flags;
  std::function<GuardStatus()> guard;
};

struct RolloutStatus {
  RolloutRecord record;
  std::string hold;  // why it does not go on although it runs; "" = nothing does but time
};

// Thread-safe. What changes something blocks for the disk; GetStatus does not.
class Rollout {
 public:
  // Reads what the journal has of it; goes on with the first Look. What the parts name outlives it.
  static Result<std::unique_ptr<Rollout>> Open(RolloutParts parts);
  ~Rollout() { Stop(); }
  Rollout(const Rollout&) = delete;
  Rollout& operator=(const Rollout&) = delete;

  // Once the flags are loaded.
  void Start();
  void Stop() SB_EXCLUDES(mutex_);
  // One look; the thread takes one at least each second. Tests call it without a thread.
  void Look() SB_EXCLUDES(mutex_);

  // Changes nothing. Error: kInvalidArgument.
  Result<RolloutPlan> Plan(const RolloutRequest& request) SB_EXCLUDES(mutex_);
  // The first share is in force on return, or status.hold says why it is not yet. Errors:
  // kInvalidArgument; kRefused with all that speaks against it; the journal's.
  Status Begin(const RolloutRequest& request) SB_EXCLUDES(mutex_);
  // Errors: kNotFound, kRefused (RolloutMachine); the journal's: then nothing has changed.
  Status Pause(const std::string& actor) SB_EXCLUDES(mutex_);
  Status Resume(const std::string& actor) SB_EXCLUDES(mutex_);
  Status Promote(const std::string& actor) SB_EXCLUDES(mutex_);
  Status Abort(const std::string& actor, const std::string& reason, bool is_to_zero)
      SB_EXCLUDES(mutex_);
  [[nodiscard]] RolloutStatus GetStatus() const SB_EXCLUDES(status_mutex_);

 private:
  Rollout(RolloutParts parts, RolloutRecord record);
  void TakeUp() SB_EXCLUDES(mutex_);
  struct Scene {
    RolloutSight sight;
    RolloutFlag flag;
  };
  Scene See() SB_REQUIRES(mutex_);
  Scene LookLocked() SB_REQUIRES(mutex_);
  Result<RolloutPlan> PlanLocked(const RolloutRequest& request) SB_REQUIRES(mutex_);
  // Runs a call of a person between a look and the writing that follows from it.
  Status Act(const std::string& actor, const char* action, const std::string& reason,
             const std::function<Status(const Scene&)>& call) SB_EXCLUDES(mutex_);
  // Keeps what has changed since `before`; an error means that it is as before.
  Status Settle(const RolloutRecord& before) SB_REQUIRES(mutex_);
  void JournalSteps(const RolloutRecord& before) SB_REQUIRES(mutex_);
  void CloseInterrupted() SB_REQUIRES(mutex_);
  void Write() SB_REQUIRES(mutex_);
  void Publish() SB_REQUIRES(mutex_) SB_EXCLUDES(status_mutex_);
  void Run();

  const RolloutParts parts_;
  mutable Mutex mutex_;  // taken before status_mutex_
  CondVar wake_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  RolloutMachine machine_ SB_GUARDED_BY(mutex_);
  bool is_unstored_ SB_GUARDED_BY(mutex_) = false;  // an end that the journal did not take
  SteadyTime stored_at_ SB_GUARDED_BY(mutex_){};
  mutable Mutex status_mutex_;
  RolloutStatus status_ SB_GUARDED_BY(status_mutex_);
  std::thread thread_;
};

}  // namespace switchback
