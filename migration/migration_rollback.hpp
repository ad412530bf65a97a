// Rolls a migration back: what was copied goes, the source stays and serves, in steps that are
// journaled and can each be repeated.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "migration/migration_status.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct RollbackPlan {
  std::int64_t operation = 0;  // in the journal
  Role target = Role::kUnified;
  std::string reason;
  VerifyOutcome verified;  // the source's last verified state
};

// Run on one thread; GetProgress and Stop from any.
class MigrationRollback {
 public:
  // A step that fails is repeated so often, with growing pauses between.
  static constexpr int kAttemptsMax = 5;

  // `service`, `journal` and `clock` outlive it.
  MigrationRollback(DbService& service, Journal& journal, const Clock& clock);

  // All steps, from the first: those that were done already find nothing to do. Blocks for all of
  // it. kCancelled after Stop; else the error of the step that kept failing.
  Status Run(const RollbackPlan& plan) SB_EXCLUDES(mutex_);
  void Stop() { stop_ = true; }

  [[nodiscard]] RollbackProgress GetProgress() const SB_EXCLUDES(mutex_);

 private:
  struct Step {
    const char* name;
    const char* stage;
    double weight;  // of the whole, for the percentage
    Result<std::string> (MigrationRollback::*run)(const RollbackPlan&);
  };
  static const std::vector<Step>& Steps();

  Status RunStep(const Step& step, const RollbackPlan& plan);
  Result<std::string> LoadState(const RollbackPlan& plan);
  Result<std::string> StopCopy(const RollbackPlan& plan);
  Result<std::string> ClearTarget(const RollbackPlan& plan);
  Result<std::string> VerifySource(const RollbackPlan& plan);
  Result<std::string> ResetState(const RollbackPlan& plan);

  void Begin(const Step& step, std::size_t index) SB_EXCLUDES(mutex_);
  void SetShare(double share) SB_EXCLUDES(mutex_);
  void NoteError(const std::string& text) SB_EXCLUDES(mutex_);
  void Finish(const char* stage) SB_EXCLUDES(mutex_);
  void PauseBeforeAttempt(int attempt) const;

  DbService& service_;
  Journal& journal_;
  const Clock& clock_;
  std::atomic<bool> stop_{false};

  mutable Mutex mutex_;
  RollbackProgress progress_ SB_GUARDED_BY(mutex_);
  SteadyTime started_at_ SB_GUARDED_BY(mutex_);
  double done_weight_ SB_GUARDED_BY(mutex_) = 0;
  double step_weight_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
