// Goes back to legacy by the flag, and keeps the record of it: one path for an operator's word, the
// guard's trip and an edit of the flags file.
//
// What counts comes first: every key goes to legacy at once, and durably so (Latch). The
// rest follows on this object's thread and is in the journal step by step: the flags file,
// evidence, validation. A crash in between is gone on with at the next start.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "rollback/evidence.hpp"
#include "rollback/guard/guard_machine.hpp"
#include "rollback/latch.hpp"
#include "rollback/recovery_validation.hpp"
#include "service/db_service.hpp"

namespace switchback {

inline constexpr const char* kFlagRollback = "rollback-flag";  // its kind in the journal
inline constexpr const char* kValidation = "validation";

// Whether a rollback by the flag can be done now, and what it would mean.
struct RollbackCheck {
  bool can_roll_back = false;
  std::string reason;                // why not, with the choices; "" when it can
  double percentage = 0;             // of keys that unified answers for now: what would move
  std::uint64_t batches_behind = 0;  // that legacy has yet to apply; none of them is lost
  std::chrono::milliseconds lag{0};
  std::optional<Latched> latched;  // legacy answers already because of it
};

struct RollbackAnswer {
  Latched latched;
  WallTime effective_at{};  // no read that began later was sent to unified
  double percentage_before = 0;
};

// The rollback or validation at hand, or the newest one.
struct RollbackStatus {
  std::int64_t id = 0;  // in the journal
  std::string kind;
  std::string stage;  // "PREPARING" "EXECUTING" "VERIFYING" "COMPLETED" "FAILED"
  std::string step;
  double percent = 0;
  std::string actor, reason;
  std::string final_status;  // "SUCCESS" "PARTIAL" "FAILED"; "" while it goes on
  std::vector<std::string> errors;
  std::string evidence;  // name of the bundle
  std::optional<ValidationResult> validation;
  double total_ms = 0;
};

struct RollbackOptions {
  std::string flags_path;
  std::string evidence_directory;
  std::function<Status()> reload_flags;  // makes the file count now
  std::function<std::vector<EvidenceFile>()> collect_evidence;
  ValidationLimits limits;
};

// Thread-safe.
class RollbackManager {
 public:
  // All outlive it. Goes on with what a crash interrupted.
  static std::unique_ptr<RollbackManager> Open(DbService& service, Journal& journal, Latch& latch,
                                               const Clock& clock, RollbackOptions options);
  ~RollbackManager() { Stop(); }
  RollbackManager(const RollbackManager&) = delete;
  RollbackManager& operator=(const RollbackManager&) = delete;

  // Begins with the thread; ends after the step at hand.
  void Start();
  void Stop() SB_EXCLUDES(mutex_);

  [[nodiscard]] RollbackCheck Check() const;
  // Every key goes to legacy from the return on, whatever happens afterwards. kRefused: legacy is
  // not in sync, within `wait_max`; the message has the choices. kIo, kNoSpace: it is in force, and
  // a restart would forget it.
  Result<RollbackAnswer> RollBack(const std::string& actor, const std::string& reason,
                                  std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  // The guard has gone back already: keeps the record of it.
  void OnTrip(const GuardTrip& trip, const Latched& latched) SB_EXCLUDES(mutex_);
  // The flags in force have changed: one that takes all keys from unified is a rollback, too.
  void OnFlags(const FlagSnapshot& flags) SB_EXCLUDES(mutex_);
  // Checks the service as after a rollback, in the background.
  void Validate(const std::string& actor) SB_EXCLUDES(mutex_);

  [[nodiscard]] std::optional<RollbackStatus> GetStatus() const SB_EXCLUDES(mutex_);
  // Waits until nothing is left to do.
  void Flush() SB_EXCLUDES(mutex_);

 private:
  struct Task {
    std::string kind = kFlagRollback;
    std::string cause;  // "operator" "guard" "file"
    std::string actor, reason;
    std::optional<Latched> latched;
    WallTime effective_at{};
    double percentage_before = 0;
    SteadyTime begun{};
  };
  RollbackManager(DbService& service, Journal& journal, Latch& latch, const Clock& clock,
                  RollbackOptions options)
      : service_(service),
        journal_(journal),
        latch_(latch),
        clock_(clock),
        options_(std::move(options)) {}

  void Resume();
  [[nodiscard]] double PercentageNow() const;
  Status WaitForLegacy(std::chrono::milliseconds wait_max) const;
  void Enqueue(Task task) SB_EXCLUDES(mutex_);
  void Run() SB_EXCLUDES(mutex_);
  void RunTask(const Task& task) SB_EXCLUDES(mutex_);
  void RunSteps(const Task& task) SB_EXCLUDES(mutex_);
  // Runs and journals one step; false when it failed, which is then among the errors.
  bool RunStep(const char* stage, const char* step, double percent,
               const std::function<Result<std::string>()>& work) SB_EXCLUDES(mutex_);
  Result<std::string> TurnFlagOff(const Task& task);
  Result<std::string> KeepEvidence(const Task& task) SB_EXCLUDES(mutex_);
  Result<std::string> ValidateNow() SB_EXCLUDES(mutex_);
  void Finish(const Task& task) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::string DetailJson(const Task& task) const SB_EXCLUDES(mutex_);

  DbService& service_;
  Journal& journal_;
  Latch& latch_;
  const Clock& clock_;
  const RollbackOptions options_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  bool is_busy_ SB_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ SB_GUARDED_BY(mutex_);
  std::optional<RollbackStatus> status_ SB_GUARDED_BY(mutex_);
  std::uint32_t share_ SB_GUARDED_BY(mutex_) = 0;      // of the flags seen last
  bool is_on_ SB_GUARDED_BY(mutex_) = false;           // by them, some key may go to unified
  bool is_turning_off_ SB_GUARDED_BY(mutex_) = false;  // it is us who change the file
  std::thread thread_;
};

}  // namespace switchback
