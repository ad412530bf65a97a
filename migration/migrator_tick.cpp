// What the migrator does by itself, a few times a second.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/log.hpp"
#include "migration/migrator.hpp"

namespace switchback {
namespace {

constexpr std::chrono::seconds kRetryInterval{2};
constexpr std::chrono::milliseconds kRetireWaitMax{60'000};
constexpr double kActiveSecondsPerSave = 60;
// A tick that comes late (a suspended machine) does not count for more.
constexpr double kActiveSecondsPerTickMax = 5;
// So many looks in a row, so that one moment of little memory does not undo hours of work.
constexpr int kMemoryTicksMin = 5;

}  // namespace

void Migrator::Tick() {
  const ServiceStatus status = service_.GetStatus();
  bool is_rolling_back = false;
  bool is_completing = false;
  {
    MutexLock lock(mutex_);
    Measure(status);
    if (record_.phase == kCopying) TickCopying(status);
    if (record_.phase == kVerifying) TickVerifying(status);
    is_completing = record_.phase == kCompleting && TickCompleting(status);
    is_rolling_back = record_.phase == kRollingBack;
  }
  if (is_completing) RunCompletion();
  if (is_rolling_back) RunRollback();
}

void Migrator::Measure(const ServiceStatus& status) {
  const SteadyTime now = clock_.Now();
  const MetricsSnapshot metrics = service_.GetMetrics();
  HistogramSnapshot reads;
  for (const Role role : kRoles) {
    reads += metrics.Of(role, Operation::kGet).latency;
    reads += metrics.Of(role, Operation::kMultiGet).latency;
  }
  reads_.Add(now, reads);
  writes_.Add(now, status.write_latency);
  if (record_.phase != kCopying) return;
  const FollowerStatus& source_store = status.followers[Index(source())];
  machine_ = options_.read_machine(status.followers[Index(record_.target)].path);
  throttle_->Judge({.read_p99_us = reads_.RecentP99(),
                    .write_p99_us = writes_.RecentP99(),
                    .read_p99_before_us = record_.read_p99_before_us,
                    .write_p99_before_us = record_.write_p99_before_us,
                    .lag_ms = static_cast<double>(source_store.lag.count()),
                    .load_per_core = machine_.load_per_core,
                    .memory_share = machine_.memory_share,
                    .disk_free_bytes = static_cast<double>(machine_.disk_free_bytes),
                    .disk_total_bytes = static_cast<double>(machine_.disk_total_bytes)},
                   record_.settings);
}

void Migrator::CountActiveTime() {
  const SteadyTime now = clock_.Now();
  if (active_at_) {
    const double passed = std::chrono::duration<double>(now - *active_at_).count();
    active_seconds_ += std::min(passed, kActiveSecondsPerTickMax);
  }
  active_at_ = now;
  if (active_seconds_ - static_cast<double>(record_.active_seconds) < kActiveSecondsPerSave) return;
  if (auto saved = Save(record_); !saved)
    LogWarning("migration: cannot journal its time: {}", saved.error().message);
}

Result<bool> Migrator::EnsureBackedUp(const std::string& reason) {
  if (record_.is_backed_up) return true;
  if (clock_.Now() < retry_at_) return false;
  MigrationRecord next = record_;
  if (backup_of_process_.empty() || backup_of_process_ != record_.backup) {
    const auto begun = options_.begin_backup(reason, record_.actor);
    retry_at_ = clock_.Now() + kRetryInterval;
    // Another operation on backups is under way.
    if (!begun && begun.error().code == ErrorCode::kRefused) return false;
    if (!begun) return Fail(WithContext(begun.error(), "no backup could be made before it"));
    retry_at_ = {};
    backup_of_process_ = next.backup = *begun;
  } else {
    const auto is_done = options_.is_backup_done(record_.backup);
    if (is_done && !*is_done) return false;
    if (!is_done) backup_of_process_.clear();
    if (!is_done) return Fail(WithContext(is_done.error(), "no backup could be made before it"));
    next.is_backed_up = true;
  }
  if (auto saved = Save(std::move(next)); !saved)
    LogWarning("migration: cannot journal its backup: {}", saved.error().message);
  return record_.is_backed_up;
}

void Migrator::TickCopying(const ServiceStatus& status) {
  const auto is_backed_up = EnsureBackedUp("before-migration");
  if (!is_backed_up) {
    auto begun = BeginRollback(record_, "backup", "switchback", is_backed_up.error().message);
    if (!begun) LogError("migration: {}", begun.error().message);
  }
  if (!is_backed_up || !*is_backed_up) return;
  CountActiveTime();
  const FollowerStatus& target = status.followers[Index(record_.target)];
  if (target.state == FollowerState::kInSync && target.collections == record_.collections) {
    // A short copy begins and ends between two ticks.
    const auto trigger = TooManyInvalid();
    return trigger ? RollBackFor(*trigger) : CopyDone();
  }
  if (auto forgotten = ForgetOtherSet(status); !forgotten)
    LogWarning("migration: {}", forgotten.error().message);
  // One that fails while it is filled comes back by itself; one that failed before is filled anew.
  const bool is_to_be_filled = target.state == FollowerState::kDetached ||
                               target.state == FollowerState::kBackfilling ||
                               (target.state == FollowerState::kFailed && progress_ == nullptr);
  if (is_to_be_filled && !target.is_fill_under_way) GoOnWithFill(target);
  CheckLimits(status);
}

// The fill ended before its time, or has not begun in this process.
void Migrator::GoOnWithFill(const FollowerStatus& target) {
  if (clock_.Now() < retry_at_) return;
  retry_at_ = clock_.Now() + kRetryInterval;
  const auto mode = ChooseMode(record_);
  if (mode && progress_ != nullptr && progress_->Figures().needs_scratch) {
    MigrationRecord next = record_;
    next.note = fmt::format(
        "the copy began anew at {}: {}", FormatUtc(clock_.WallNow()),
        progress_->Figures().error ? progress_->Figures().error->message : target.reason);
    LogWarning("migration: {}", next.note);
    if (auto saved = Save(std::move(next)); !saved) return;
  }
  Status begun = mode ? BeginFill(*mode) : Status(Fail(mode.error()));
  if (!begun) LogWarning("migration: cannot go on with the copy: {}", begun.error().message);
}

void Migrator::CopyDone() {
  MigrationRecord next = record_;
  const bool is_verified = options_.start_verify && record_.settings.is_verified_after;
  next.phase = kVerifying;
  next.verify = {};
  const Status moved = is_verified ? Move(std::move(next)) : EndCopy(std::move(next));
  if (!moved) return LogWarning("migration: cannot journal its end: {}", moved.error().message);
  active_at_.reset();
  is_verify_running_ = false;
  retry_at_ = SteadyTime{};
  LogInfo("migration: {} holds every record", RoleName(record_.target));
}

void Migrator::TickVerifying(const ServiceStatus& status) {
  const FollowerStatus& target = status.followers[Index(record_.target)];
  if (target.state == FollowerState::kDetached) {  // it was given up: it needs a new fill
    MigrationRecord next = record_;
    next.phase = kCopying;
    if (auto moved = Move(std::move(next)); !moved)
      LogWarning("migration: {}", moved.error().message);
    return;
  }
  if (record_.settings.is_verified_after) return VerifyIfDue();
  // An operator has changed their mind while it was being verified.
  if (auto ended = EndCopy(record_); !ended)
    LogWarning("migration: cannot journal its end: {}", ended.error().message);
}

void Migrator::VerifyIfDue() {
  if (is_verify_running_ || clock_.Now() < retry_at_) return;
  retry_at_ = clock_.Now() + kRetryInterval;
  auto started = options_.start_verify(record_.actor);
  is_verify_running_ = started || started.error().code == ErrorCode::kConflict;
  if (!started) LogInfo("migration: verify: {}", started.error().message);
}

bool Migrator::IsOutOfReach(const ServiceStatus& status) const {
  const FollowerStatus& target = status.followers[Index(record_.target)];
  const FollowerState source_state = status.followers[Index(source())].state;
  const bool is_source_sick =
      source_state == FollowerState::kFailed || source_state == FollowerState::kDetached;
  const bool is_target_sick =
      target.state == FollowerState::kFailed ||
      (target.state == FollowerState::kDetached && !target.is_fill_under_way);
  return is_source_sick || is_target_sick;
}

std::optional<Migrator::Trigger> Migrator::TooManyInvalid() const {
  if (!progress_ || !invalid_) return std::nullopt;
  const std::uint64_t total = progress_->Figures().records_total;
  const std::uint64_t invalid = invalid_->count();
  const double share_max = record_.settings.invalid_share_max;
  if (total == 0 || static_cast<double>(invalid) <= static_cast<double>(total) * share_max)
    return std::nullopt;
  return Trigger{"invalid-records",
                 fmt::format("{} of {} records are invalid, the limit is {:.6g} %", invalid, total,
                             share_max * 100)};
}

std::optional<Migrator::Trigger> Migrator::PassedLimit(const ServiceStatus& status) {
  if (auto trigger = TooManyInvalid()) return trigger;
  const MigrationSettings& settings = record_.settings;
  const BackfillFigures figures = progress_ ? progress_->Figures() : BackfillFigures{};
  const SteadyTime now = clock_.Now();
  if (!IsOutOfReach(status)) out_of_reach_since_.reset();
  if (IsOutOfReach(status) && !out_of_reach_since_) out_of_reach_since_ = now;
  const std::chrono::milliseconds reach_max(settings.unreachable_ms_max);
  if (settings.unreachable_ms_max > 0 && out_of_reach_since_ &&
      now - *out_of_reach_since_ > reach_max)
    return Trigger{"unreachable",
                   fmt::format("a store has been out of reach for {} ms, the limit is {}",
                               std::chrono::duration_cast<std::chrono::milliseconds>(
                                   now - *out_of_reach_since_)
                                   .count(),
                               settings.unreachable_ms_max)};
  const bool is_memory_short =
      settings.memory_share_max > 0 && machine_.memory_share > settings.memory_share_max;
  memory_ticks_ = is_memory_short ? memory_ticks_ + 1 : 0;
  if (memory_ticks_ >= kMemoryTicksMin)
    return Trigger{"memory",
                   fmt::format("{:.1f} % of the memory is in use, the limit is {:.6g} %",
                               machine_.memory_share * 100, settings.memory_share_max * 100)};
  const std::uint64_t seconds_max = settings.SecondsMax(figures.records_total);
  if (active_seconds_ > static_cast<double>(seconds_max))
    return Trigger{"time", fmt::format("it has run for {:.0f} s, the limit is {} s",
                                       active_seconds_, seconds_max)};
  return std::nullopt;
}

void Migrator::CheckLimits(const ServiceStatus& status) {
  if (const auto trigger = PassedLimit(status)) RollBackFor(*trigger);
}

void Migrator::RollBackFor(const Trigger& trigger) {
  if (auto begun = BeginRollback(record_, trigger.name, "switchback", trigger.reason); !begun)
    LogError("migration: cannot roll back ({}): {}", trigger.reason, begun.error().message);
}

bool Migrator::TickCompleting(const ServiceStatus& status) {
  const bool is_committed =
      status.is_legacy_retired &&
      status.followers[Index(Role::kLegacy)].state == FollowerState::kDetached;
  if (is_committed) return clock_.Now() >= retry_at_;  // what is left is to tidy up
  MigrationRecord asked = record_;
  asked.phase = kReady;
  if (const std::string why = WhyNotComplete(status, asked); !why.empty()) {
    EndCompletion(Fail(ErrorCode::kRefused, why));
    return false;
  }
  const auto is_backed_up = EnsureBackedUp("before-complete");
  if (!is_backed_up) EndCompletion(Fail(is_backed_up.error()));
  if (!is_backed_up || !*is_backed_up) return false;
  if (is_completion_verified_) return true;
  if (options_.start_verify) VerifyIfDue();
  is_completion_verified_ = !options_.start_verify;
  return false;
}

void Migrator::EndCompletion(const Status& outcome) {
  MigrationRecord next = record_;
  next.phase = outcome ? kCompleted : kReady;
  if (!outcome) next.note = "legacy was not let go: " + outcome.error().message;
  nlohmann::ordered_json detail{{"from", "legacy and unified"}, {"to", "unified"}};
  if (!outcome) detail["error"] = outcome.error().message;
  Status saved =
      journal_.EndOperation(record_.operation, outcome ? "done" : "failed",
                            detail.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (saved) saved = Move(std::move(next));
  if (!saved) LogError("migration: cannot journal its completion: {}", saved.error().message);
}

void Migrator::RunCompletion() {
  const auto kept = service_.RetireLegacy(kRetireWaitMax);
  MutexLock lock(mutex_);
  if (kept) {
    record_.kept_legacy = *kept;
    return EndCompletion({});
  }
  LogWarning("migration: letting legacy go: {}", kept.error().message);
  retry_at_ = clock_.Now() + kRetryInterval;
  // Past the commit point there is no way but forward.
  const ServiceStatus status = service_.GetStatus();
  const bool is_before = status.followers[Index(Role::kLegacy)].state != FollowerState::kDetached;
  if (is_before) EndCompletion(Fail(kept.error()));
}

void Migrator::RunRollback() {
  RollbackPlan plan;
  {
    MutexLock lock(mutex_);
    plan = {record_.rollback_operation, record_.target, record_.rollback_reason, record_.verify};
    has_rolled_back_ = true;
  }
  const Status done = rollback_.Run(plan);
  if (!done && done.error().code == ErrorCode::kCancelled) return;  // goes on at the next start
  const RollbackProgress progress = rollback_.GetProgress();
  const nlohmann::ordered_json detail{{"to", RoleName(Other(plan.target))},
                                      {"seconds", progress.elapsed_seconds},
                                      {"errors", progress.errors}};
  MutexLock lock(mutex_);
  MigrationRecord next = record_;
  if (done) {
    next.phase = record_.target == Role::kUnified ? kIdle : kCompleted;
    next.last_result = fmt::format("rolled back at {} ({}): {}", FormatUtc(clock_.WallNow()),
                                   record_.rollback_trigger, record_.rollback_reason);
    if (record_.target == Role::kUnified) {
      next.is_unified_unverified = false;  // it is detached
      next.is_unverified_allowed = false;
    }
    next.verify = {};
    progress_.reset();
    invalid_.reset();
  } else {
    next.phase = kLocked;
    next.locked_reason = done.error().message + ". Serving goes on from " + RoleName(source()) +
                         "; mend the cause, then `switchback migrate resume` tries again";
  }
  const char* outcome = done ? "done" : "failed";
  Status saved = journal_.EndOperation(record_.rollback_operation, outcome, detail.dump());
  if (saved && done && record_.operation != 0)
    saved = journal_.EndOperation(record_.operation, "cancelled", "{}");
  if (saved && done)
    saved =
        journal_.Audit(record_.rollback_actor, "migration.rolled-back", record_.rollback_reason);
  if (saved) saved = Move(std::move(next));
  if (!saved)
    LogError("migration: cannot journal that it was rolled back: {}", saved.error().message);
}

}  // namespace switchback
