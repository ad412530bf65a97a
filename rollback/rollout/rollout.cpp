#include "rollback/rollout/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "flags/flag_file.hpp"
#include "flags/flag_json.hpp"
#include "flags/share.hpp"

namespace switchback {
namespace {

constexpr const char* kKind = "rollout";
constexpr std::chrono::milliseconds kLookIntervalMax{1000};
constexpr std::chrono::milliseconds kLookIntervalMin{50};
// How often a step's time and reads are kept: what a crash costs at most, never what it gains.
constexpr std::chrono::seconds kStoreInterval{5};

// But for what only grows with time.
bool IsSame(RolloutRecord left, const RolloutRecord& right) {
  left.elapsed = right.elapsed;
  left.operations = right.operations;
  return left == right;
}

std::string StepName(const RolloutRecord& record) {
  return FormatPercentage(record.steps[record.step].share) + " %";
}

std::string BackName(const RolloutRecord& record) {
  return record.writing && record.writing->is_enabled
             ? "back to " + FormatPercentage(record.writing->share) + " %"
             : "back to off";
}

const char* OperationStatusOf(const RolloutRecord& record) {
  if (record.IsActive()) return "running";
  if (record.state == RolloutState::kDone) return "done";
  return record.is_cancelled ? "cancelled" : "failed";
}

std::string DetailOf(const RolloutRecord& record) {
  const nlohmann::ordered_json detail{{"state", RolloutStateName(record.state)},
                                      {"note", record.note},
                                      {"step", record.step + 1},
                                      {"step_count", record.steps.size()}};
  return detail.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

std::string Lasted(const RolloutRecord& record) {
  return fmt::format("{:.1f} s, {} reads of unified",
                     std::chrono::duration<double>(record.elapsed).count(), record.operations);
}

// What does not speak of the rollout itself must not stop it.
void Warn(const Status& status) {
  if (!status) LogWarning("rollout: {}", status.error().message);
}

}  // namespace

Result<std::unique_ptr<Rollout>> Rollout::Open(RolloutParts parts) {
  auto record = LoadRolloutRecord(parts.journal);
  if (!record) return Fail(record.error());
  if (record->IsActive())
    LogInfo("the rollout is {}, at step {} of {}", RolloutStateName(record->state),
            record->step + 1, record->steps.size());
  std::unique_ptr<Rollout> rollout(new Rollout(std::move(parts), *std::move(record)));
  rollout->TakeUp();
  return rollout;
}

Rollout::Rollout(RolloutParts parts, RolloutRecord record)
    : parts_(std::move(parts)), machine_(std::move(record)) {}

void Rollout::TakeUp() {
  MutexLock lock(mutex_);
  CloseInterrupted();
  Publish();
}

void Rollout::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Rollout::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  if (machine_.record().IsActive()) Warn(StoreRolloutRecord(parts_.journal, machine_.record()));
}

void Rollout::Run() {
  while (true) {
    Look();
    MutexLock lock(mutex_);
    if (is_stopping_) return;
    const RolloutRecord& record = machine_.record();
    const auto wait = record.IsActive()
                          ? std::clamp(record.interval / 10, kLookIntervalMin, kLookIntervalMax)
                          : kLookIntervalMax;
    wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() + wait);
    if (is_stopping_) return;
  }
}

void Rollout::Look() {
  MutexLock lock(mutex_);
  if (machine_.record().IsActive() || is_unstored_) LookLocked();
}

Rollout::Scene Rollout::See() {
  Scene scene;
  scene.flag = ReadRolloutFlag(parts_.flags_path);
  RolloutSight& sight = scene.sight;
  sight.now = parts_.clock.Now();
  sight.file = scene.flag.file;
  sight.clean_operations = CleanReads(parts_.service.GetMetrics());
  const RolloutRecord& record = machine_.record();
  if (record.steps.empty()) return scene;
  const GuardStatus guard = parts_.guard();
  const ServiceStatus status = parts_.service.GetStatus();
  sight.tripped = RolloutTrip(guard);
  sight.hold = RolloutHold(guard, status, record.steps[record.step].share);
  if (status.routing.is_refused && sight.tripped.empty()) sight.refused = status.routing.reason;
  FlagSettings next;
  next.enabled = true;
  next.share = kShareTotal;
  if (auto may = parts_.service.MayApply(FlagRule(std::move(next))); !may)
    sight.may_write = may.error().message;
  return scene;
}

Rollout::Scene Rollout::LookLocked() {
  Scene scene = See();
  const RolloutRecord before = machine_.record();
  const bool has_to_write = machine_.Look(scene.sight);
  if (Settle(before) && has_to_write) Write();
  Publish();
  return scene;
}

Status Rollout::Settle(const RolloutRecord& before) {
  const SteadyTime now = parts_.clock.Now();
  if (!machine_.record().IsActive() && before.IsActive())
    machine_.Stamp(FormatUtc(parts_.clock.WallNow()));
  const RolloutRecord& after = machine_.record();
  const bool is_same = IsSame(before, after);
  if (is_same && !is_unstored_ && (!after.IsActive() || now - stored_at_ < kStoreInterval))
    return {};
  auto stored = Failpoint("rollout.store");
  if (stored) stored = StoreRolloutRecord(parts_.journal, after);
  if (!stored) {
    LogWarning("rollout: its state is not kept: {}", stored.error().message);
    // An end holds whether it is kept or not: after a restart the same is seen again.
    is_unstored_ = !is_same && !after.IsActive();
    if (is_unstored_ || is_same) return {};
    machine_.Revert(before);
    machine_.OnFailure("the journal cannot be written: " + stored.error().message);
    return stored;
  }
  is_unstored_ = false;
  stored_at_ = now;
  if (!is_same) JournalSteps(before);
  return {};
}

void Rollout::JournalSteps(const RolloutRecord& before) {
  const RolloutRecord& after = machine_.record();
  Journal& journal = parts_.journal;
  const std::int64_t id = after.operation;
  const bool is_new = before.operation != id;
  const bool is_next = !is_new && before.step != after.step;
  const bool is_ended = !after.IsActive() && (is_new || before.IsActive());
  const bool is_going_back =
      after.state == RolloutState::kAborting && before.state != RolloutState::kAborting;
  if (is_next)
    Warn(journal.EndStep(id, StepName(before), "done",
                         after.note.empty() ? Lasted(before) : after.note));
  if (is_new || is_next) {
    Warn(journal.BeginStep(id, StepName(after)));
    LogInfo("rollout: step {} of {}: {}", after.step + 1, after.steps.size(), StepName(after));
  }
  if (is_going_back) {
    Warn(journal.EndStep(id, StepName(before), "failed", after.note));
    Warn(journal.BeginStep(id, BackName(after)));
  }
  if (before.state == RolloutState::kAborting && is_ended)
    Warn(journal.EndStep(id, BackName(before),
                         after.state == RolloutState::kAborted ? "done" : "failed", after.note));
  else if (is_ended)
    Warn(journal.EndStep(id, StepName(after),
                         after.state == RolloutState::kDone ? "done" : "failed",
                         after.state == RolloutState::kDone ? Lasted(after) : after.note));
  if (is_ended) Warn(journal.EndOperation(id, OperationStatusOf(after), DetailOf(after)));
  if (before.state != after.state)
    LogInfo("rollout: {}{}", RolloutStateName(after.state),
            after.note.empty() ? "" : ": " + after.note);
}

// The journal of operations may lag behind the record by one change when the process was killed.
void Rollout::CloseInterrupted() {
  constexpr std::size_t kOperationCountMax = 10;
  const RolloutRecord& record = machine_.record();
  const auto operations = parts_.journal.Operations(kKind, kOperationCountMax);
  if (!operations) return Warn(Status(Fail(operations.error())));
  for (const OperationRecord& operation : *operations) {
    if (operation.status != "running") continue;
    const bool is_ours = operation.id == record.operation;
    if (is_ours && record.IsActive()) {
      const std::string current =
          record.state == RolloutState::kAborting ? BackName(record) : StepName(record);
      bool has_begun = false;
      for (const OperationStep& step : operation.steps) {
        has_begun = has_begun || step.name == current;
        if (step.status == "running" && step.name != current)
          Warn(parts_.journal.EndStep(operation.id, step.name, "done", ""));
      }
      if (!has_begun) Warn(parts_.journal.BeginStep(operation.id, current));
    } else {
      for (const OperationStep& step : operation.steps) {
        if (step.status == "running")
          Warn(parts_.journal.EndStep(operation.id, step.name, "failed", "interrupted"));
      }
      Warn(parts_.journal.EndOperation(operation.id, is_ours ? OperationStatusOf(record) : "failed",
                                       is_ours ? DetailOf(record) : "{}"));
    }
  }
}

void Rollout::Write() {
  const FlagPoint target = *machine_.record().writing;
  const std::string written = machine_.record().written;
  FlagChange change;
  change.enabled = target.is_enabled;
  change.percentage = target.share / 1000.0;
  change.may_change = [&](const FlagRule* flag) -> Status {
    const std::string found = PointOf(flag).flag;
    if (found == written || found == target.flag) return {};
    return Fail(ErrorCode::kRefused, "somebody else has changed the flag");
  };
  auto set = Failpoint("rollout.write");
  if (set) set = SetFlagInFile(parts_.flags_path, std::string(kUnifiedFlagName), change);
  if (set) set = Failpoint("rollout.written");
  if (!set) {
    LogWarning("rollout: {}", set.error().message);
    return machine_.OnFailure("the flags file cannot be written: " + set.error().message);
  }
  Warn(parts_.reload_flags());  // what is in force is looked at next time
  const RolloutRecord before = machine_.record();
  machine_.OnWritten();
  // The next look finds what is in the file, and keeps it then.
  (void)Settle(before);
}

void Rollout::Publish() {
  MutexLock lock(status_mutex_);
  status_ = {machine_.record(), machine_.hold()};
}

RolloutStatus Rollout::GetStatus() const {
  MutexLock lock(status_mutex_);
  return status_;
}

Result<RolloutPlan> Rollout::Plan(const RolloutRequest& request) {
  MutexLock lock(mutex_);
  return PlanLocked(request);
}

Result<RolloutPlan> Rollout::PlanLocked(const RolloutRequest& request) {
  const RolloutFlag flag = ReadRolloutFlag(parts_.flags_path);
  auto plan = PlanRollout(request, flag, parts_.guard(), parts_.service);
  if (!plan) return plan;
  const RolloutRecord& record = machine_.record();
  if (record.IsActive())
    plan->refusals.push_back(fmt::format("a rollout is {}, begun by {} at {}: abort it first",
                                         RolloutStateName(record.state), record.actor,
                                         record.started_at));
  return plan;
}

Status Rollout::Begin(const RolloutRequest& request) {
  MutexLock lock(mutex_);
  auto plan = PlanLocked(request);
  if (!plan) return Fail(plan.error());
  if (!plan->refusals.empty())
    return Fail(ErrorCode::kRefused, fmt::format("{}", fmt::join(plan->refusals, "; ")));
  Journal& journal = parts_.journal;
  SB_RETURN_IF_ERROR(journal.Audit(request.actor, "rollout.start", request.reason));
  const auto operation = journal.BeginOperation(kKind, request.actor, request.reason);
  if (!operation) return Fail(operation.error());
  RolloutRecord record;
  record.operation = *operation;
  record.actor = request.actor;
  record.reason = request.reason;
  record.started_at = FormatUtc(parts_.clock.WallNow());
  record.steps = plan->steps;
  record.interval = plan->interval;
  record.operations_min = plan->operations_min;
  record.before = plan->before;
  record.written = plan->written;
  const RolloutRecord before = machine_.record();
  Status begun = machine_.Begin(std::move(record));
  if (begun) begun = Settle(before);
  if (!begun) {
    Warn(journal.EndOperation(*operation, "failed", "{}"));
    return begun;
  }
  LookLocked();
  wake_.NotifyAll();
  return {};
}

Status Rollout::Act(const std::string& actor, const char* action, const std::string& reason,
                    const std::function<Status(const Scene&)>& call) {
  MutexLock lock(mutex_);
  // What has happened since the last look comes first: an edit, a trip.
  const Scene scene = LookLocked();
  const RolloutRecord before = machine_.record();
  SB_RETURN_IF_ERROR(call(scene));
  SB_RETURN_IF_ERROR(Settle(before));
  Warn(parts_.journal.Audit(actor, action, reason));
  LookLocked();
  wake_.NotifyAll();
  return {};
}

Status Rollout::Pause(const std::string& actor) {
  return Act(actor, "rollout.pause", "",
             [&](const Scene&) SB_REQUIRES(mutex_) { return machine_.Pause(actor); });
}

Status Rollout::Resume(const std::string& actor) {
  return Act(actor, "rollout.resume", "", [&](const Scene& scene) SB_REQUIRES(mutex_) -> Status {
    SB_RETURN_IF_ERROR(machine_.Resume(actor, scene.sight.may_write));
    // A flag that was refused stays so until it is loaded again.
    if (!scene.sight.refused.empty()) Warn(parts_.reload_flags());
    return {};
  });
}

Status Rollout::Promote(const std::string& actor) {
  return Act(actor, "rollout.promote", "", [&](const Scene& scene) SB_REQUIRES(mutex_) {
    return machine_.Promote(actor, scene.sight.may_write);
  });
}

Status Rollout::Abort(const std::string& actor, const std::string& reason, bool is_to_zero) {
  return Act(actor, "rollout.abort", reason, [&](const Scene&) SB_REQUIRES(mutex_) {
    // Anew: the look before this may have written the next step.
    const RolloutFlag flag = ReadRolloutFlag(parts_.flags_path);
    const FlagRule* rule = flag.rule_or_null();
    const FlagPoint zero = PointAt(rule, false, rule == nullptr ? 0 : rule->configured_share());
    return machine_.Abort(actor, reason, is_to_zero, zero, flag.file);
  });
}

}  // namespace switchback
