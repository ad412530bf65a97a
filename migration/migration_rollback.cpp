#include "migration/migration_rollback.hpp"

#include <fmt/core.h>

#include <thread>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "migration/store_check.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kStoreWaitMax{30'000};
constexpr std::chrono::milliseconds kPauseFirst{50};
constexpr std::chrono::milliseconds kPauseSlice{20};
constexpr std::size_t kErrorCountMax = 20;

}  // namespace

MigrationRollback::MigrationRollback(DbService& service, Journal& journal, const Clock& clock)
    : service_(service), journal_(journal), clock_(clock) {}

const std::vector<MigrationRollback::Step>& MigrationRollback::Steps() {
  static const std::vector<Step> kSteps{
      {"load state", "PREPARING", 0.02, &MigrationRollback::LoadState},
      {"stop the copy", "EXECUTING", 0.03, &MigrationRollback::StopCopy},
      {"clear what was copied", "EXECUTING", 0.25, &MigrationRollback::ClearTarget},
      {"verify the source", "VERIFYING", 0.65, &MigrationRollback::VerifySource},
      {"reset state", "EXECUTING", 0.05, &MigrationRollback::ResetState},
  };
  return kSteps;
}

Status MigrationRollback::Run(const RollbackPlan& plan) {
  {
    MutexLock lock(mutex_);
    progress_ = {};
    progress_.step_count = Steps().size();
    started_at_ = clock_.Now();
    done_weight_ = 0;
  }
  for (std::size_t index = 0; index < Steps().size(); ++index) {
    const Step& step = Steps()[index];
    Begin(step, index);
    if (auto done = RunStep(step, plan); !done) {
      if (done.error().code != ErrorCode::kCancelled) Finish("FAILED");
      return Fail(WithContext(done.error(), step.name));
    }
  }
  Finish("COMPLETED");
  return {};
}

Status MigrationRollback::RunStep(const Step& step, const RollbackPlan& plan) {
  SB_RETURN_IF_ERROR(journal_.BeginStep(plan.operation, step.name));
  Error last{ErrorCode::kInternal, ""};
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    PauseBeforeAttempt(attempt);
    if (stop_) return Fail(ErrorCode::kCancelled, "the service is stopping");
    Result<std::string> done = Fail(ErrorCode::kInternal, "");
    if (auto failed = Failpoint("migration.rollback"); !failed) {
      done = Fail(failed.error());
    } else {
      done = (this->*step.run)(plan);
    }
    if (done) {
      LogInfo("rolling back: {}: {}", step.name, done->empty() ? "done" : *done);
      return journal_.EndStep(plan.operation, step.name, "done", *done);
    }
    last = done.error();
    if (last.code == ErrorCode::kCancelled) return Fail(last);
    LogWarning("rolling back: {}: attempt {} of {}: {}", step.name, attempt, kAttemptsMax,
               last.message);
    NoteError(fmt::format("{}: {}", step.name, last.message));
  }
  SB_RETURN_IF_ERROR(journal_.EndStep(plan.operation, step.name, "failed", last.message));
  return Fail(last);
}

void MigrationRollback::PauseBeforeAttempt(int attempt) const {
  if (attempt == 1) return;
  const SteadyTime until = std::chrono::steady_clock::now() + kPauseFirst * (1 << (attempt - 2));
  while (!stop_ && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(kPauseSlice);
}

Result<std::string> MigrationRollback::LoadState(const RollbackPlan& plan) {
  const ServiceStatus status = service_.GetStatus();
  const FollowerStatus& target = status.followers[Index(plan.target)];
  return fmt::format("{} is {}, its file has {} bytes", RoleName(plan.target),
                     FollowerStateName(target.state), target.store.file_bytes);
}

// From here on a restart cannot go on with the fill: what is in the target counts for nothing.
Result<std::string> MigrationRollback::StopCopy(const RollbackPlan& plan) {
  SB_RETURN_IF_ERROR(
      service_.ForgetStore(plan.target, "rolled back: " + plan.reason, kStoreWaitMax));
  return std::string();
}

Result<std::string> MigrationRollback::ClearTarget(const RollbackPlan& plan) {
  SB_RETURN_IF_ERROR(
      service_.ClearStore(plan.target, "rolled back: " + plan.reason, kStoreWaitMax));
  return std::string();
}

Result<std::string> MigrationRollback::VerifySource(const RollbackPlan& plan) {
  const Role source = Other(plan.target);
  const FollowerStatus status = service_.GetStatus().followers[Index(source)];
  if (status.state != FollowerState::kInSync) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} is {}{}{}", RoleName(source), FollowerStateName(status.state),
                            status.reason.empty() ? "" : ": ", status.reason));
  }
  auto checked =
      CheckStore(service_, source, kStoreWaitMax, stop_, [this](double share) { SetShare(share); });
  if (!checked) return Fail(checked.error());
  const bool is_comparable = plan.verified.outcome == "clean" && checked->is_still &&
                             plan.verified.sequence == checked->sequence;
  if (is_comparable && plan.verified.records != checked->records) {
    return Fail(
        ErrorCode::kCorruption,
        fmt::format("{} holds {} records, and held {} at the same batch {} when it was "
                    "verified",
                    RoleName(source), checked->records, plan.verified.records, checked->sequence));
  }
  return fmt::format("{} gives all of its {} records and stands at batch {}", RoleName(source),
                     checked->records, checked->sequence);
}

Result<std::string> MigrationRollback::ResetState(const RollbackPlan& /*plan*/) {
  SB_RETURN_IF_ERROR(journal_.ClearFindings("verify"));
  return std::string();
}

void MigrationRollback::Begin(const Step& step, std::size_t index) {
  MutexLock lock(mutex_);
  if (index > 0) done_weight_ += step_weight_;
  step_weight_ = step.weight;
  progress_.stage = step.stage;
  progress_.step = step.name;
  progress_.step_index = index + 1;
  progress_.percent = done_weight_ * 100;
}

void MigrationRollback::SetShare(double share) {
  MutexLock lock(mutex_);
  progress_.percent = (done_weight_ + step_weight_ * share) * 100;
}

void MigrationRollback::NoteError(const std::string& text) {
  MutexLock lock(mutex_);
  if (progress_.errors.size() >= kErrorCountMax) progress_.errors.erase(progress_.errors.begin());
  progress_.errors.push_back(text);
}

void MigrationRollback::Finish(const char* stage) {
  MutexLock lock(mutex_);
  progress_.stage = stage;
  progress_.elapsed_seconds = std::chrono::duration<double>(clock_.Now() - started_at_).count();
  if (stage == std::string_view("COMPLETED")) progress_.percent = 100;
}

RollbackProgress MigrationRollback::GetProgress() const {
  MutexLock lock(mutex_);
  RollbackProgress progress = progress_;
  if (progress.stage == "COMPLETED" || progress.stage == "FAILED") return progress;
  progress.elapsed_seconds = std::chrono::duration<double>(clock_.Now() - started_at_).count();
  if (progress.percent > 5)
    progress.eta_seconds = progress.elapsed_seconds * (100 - progress.percent) / progress.percent;
  return progress;
}

}  // namespace switchback
