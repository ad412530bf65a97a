#include "rollback/rollback_manager.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "flags/flag_file.hpp"
#include "rollback/rollback_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kLegacyPoll{1};

std::string BundleName(WallTime now, const std::string& cause, std::int64_t id) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{}-{}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), cause, id);
}

}  // namespace

std::unique_ptr<RollbackManager> RollbackManager::Open(DbService& service, Journal& journal,
                                                       Latch& latch, const Clock& clock,
                                                       RollbackOptions options) {
  std::unique_ptr<RollbackManager> manager(
      new RollbackManager(service, journal, latch, clock, std::move(options)));
  manager->Resume();
  return manager;
}

// An operator's word that is still latched was to become the flag in the file; records of what a
// crash cut short are closed.
void RollbackManager::Resume() {
  for (const char* kind : {kFlagRollback, kValidation}) {
    const auto operations = journal_.Operations(kind, 20);
    if (!operations) continue;
    for (const OperationRecord& operation : *operations) {
      if (operation.status != "running") continue;
      (void)journal_.EndOperation(operation.id, "failed",
                                  Json{{"error", "the server ended meanwhile"}}.dump());
    }
  }
  const auto latched = latch_.Current();
  if (!latched || latched->cause != kLatchByOperator) return;
  Task task;
  task.cause = kLatchByOperator;
  task.actor = "restart";
  task.reason = latched->reason;
  task.latched = latched;
  task.effective_at = clock_.WallNow();
  task.begun = clock_.Now();
  Enqueue(std::move(task));
}

void RollbackManager::Start() {
  thread_ = std::thread([this] { Run(); });
}

void RollbackManager::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

double RollbackManager::PercentageNow() const {
  return service_.GetStatus().routing.effective_percentage;
}

RollbackCheck RollbackManager::Check() const {
  const ServiceStatus status = service_.GetStatus();
  const FollowerStatus& legacy = status.followers[Index(Role::kLegacy)];
  RollbackCheck check;
  check.percentage = status.routing.effective_percentage;
  check.batches_behind = legacy.lag_batches;
  check.lag = legacy.lag;
  check.latched = latch_.Current();
  check.can_roll_back = legacy.state == FollowerState::kInSync && !status.is_legacy_retired;
  if (check.can_roll_back) return check;
  check.reason = fmt::format(
      "legacy is {}{}: wait for it (--wait), go on with unified, or go back to a backup with "
      "`switchback restore`",
      status.is_legacy_retired ? "let go" : FollowerStateName(legacy.state),
      legacy.reason.empty() ? "" : " (" + legacy.reason + ")");
  return check;
}

Status RollbackManager::WaitForLegacy(std::chrono::milliseconds wait_max) const {
  const SteadyTime deadline = clock_.Now() + wait_max;
  while (true) {
    const RollbackCheck check = Check();
    if (check.can_roll_back) return {};
    if (clock_.Now() >= deadline) return Fail(ErrorCode::kRefused, check.reason);
    std::this_thread::sleep_for(kLegacyPoll);
  }
}

Result<RollbackAnswer> RollbackManager::RollBack(const std::string& actor,
                                                 const std::string& reason,
                                                 std::chrono::milliseconds wait_max) {
  const SteadyTime begun = clock_.Now();
  SB_RETURN_IF_ERROR(WaitForLegacy(wait_max));
  RollbackAnswer answer;
  answer.percentage_before = PercentageNow();
  const auto latched = latch_.Engage(
      kLatchByOperator, reason.empty() ? "rolled back by " + actor : actor + ": " + reason, "{}");
  if (!latched) return Fail(latched.error());
  answer.latched = *latched;
  answer.effective_at = clock_.WallNow();
  Task task;
  task.cause = kLatchByOperator;
  task.actor = actor;
  task.reason = reason;
  task.latched = *latched;
  task.effective_at = answer.effective_at;
  task.percentage_before = answer.percentage_before;
  task.begun = begun;
  Enqueue(std::move(task));
  return answer;
}

void RollbackManager::OnTrip(const GuardTrip& trip, const Latched& latched) {
  Task task;
  task.cause = kLatchByGuard;
  task.actor = "guard";
  task.reason = trip.reason;
  task.latched = latched;
  task.effective_at = clock_.WallNow();
  task.percentage_before = service_.GetStatus().routing.desired_percentage;
  task.begun = clock_.Now();
  Enqueue(std::move(task));
}

void RollbackManager::OnFlags(const FlagSnapshot& flags) {
  Task task;
  {
    MutexLock lock(mutex_);
    const bool was_on = std::exchange(is_on_, flags.may_go_to_unified());
    const std::uint32_t before = std::exchange(share_, flags.unified().share());
    if (!was_on || is_on_ || is_turning_off_ || latch_.Current()) return;
    task.percentage_before = before / 1000.0;
  }
  task.cause = "file";
  task.actor = "flags file";
  task.reason = "the flag was turned off in the flags file";
  task.effective_at = clock_.WallNow();
  task.begun = clock_.Now();
  Enqueue(std::move(task));
}

void RollbackManager::Validate(const std::string& actor) {
  Task task;
  task.kind = kValidation;
  task.cause = kLatchByOperator;
  task.actor = actor;
  task.begun = clock_.Now();
  Enqueue(std::move(task));
}

void RollbackManager::Enqueue(Task task) {
  constexpr std::size_t kTaskCountMax = 64;
  MutexLock lock(mutex_);
  // A hundred flips within a second have one story, not a hundred.
  if (tasks_.size() >= kTaskCountMax) tasks_.pop_front();
  // Whoever asks right after the answer must not see the one before.
  if (!is_busy_ && tasks_.empty()) {
    RollbackStatus status;
    status.kind = task.kind;
    status.stage = "PREPARING";
    status.actor = task.actor;
    status.reason = task.reason;
    status_ = std::move(status);
  }
  tasks_.push_back(std::move(task));
  changed_.NotifyAll();
}

void RollbackManager::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (!is_stopping_ && tasks_.empty()) changed_.Wait(mutex_);
      if (is_stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      is_busy_ = true;
    }
    RunTask(task);
    MutexLock lock(mutex_);
    is_busy_ = false;
    changed_.NotifyAll();
  }
}

void RollbackManager::Flush() {
  MutexLock lock(mutex_);
  while (!is_stopping_ && (is_busy_ || !tasks_.empty())) changed_.Wait(mutex_);
}

void RollbackManager::RunTask(const Task& task) {
  RollbackStatus status;
  status.kind = task.kind;
  status.stage = "PREPARING";
  status.actor = task.actor;
  status.reason = task.reason;
  const auto id = journal_.BeginOperation(task.kind, task.actor, task.reason);
  if (id) {
    status.id = *id;
  } else {
    status.errors.push_back("the journal: " + id.error().message);
    LogError("rollback: not in the journal: {}", id.error().message);
  }
  {
    MutexLock lock(mutex_);
    status_ = status;
  }
  RunSteps(task);
  Finish(task);
}

void RollbackManager::RunSteps(const Task& task) {
  if (task.kind == kFlagRollback) {
    RunStep("EXECUTING", "evidence", 10, [&] { return KeepEvidence(task); });
    RunStep("EXECUTING", "flags file", 40, [&] { return TurnFlagOff(task); });
  }
  RunStep("VERIFYING", "validate", 60, [&] { return ValidateNow(); });
}

bool RollbackManager::RunStep(const char* stage, const char* step, double percent,
                              const std::function<Result<std::string>()>& work) {
  std::int64_t id = 0;
  {
    MutexLock lock(mutex_);
    status_->stage = stage;
    status_->step = step;
    status_->percent = percent;
    id = status_->id;
  }
  if (id != 0) (void)journal_.BeginStep(id, step);
  const Result<std::string> done = work();
  if (id != 0)
    (void)journal_.EndStep(id, step, done ? "done" : "failed", done ? *done : done.error().message);
  if (done) return true;
  LogWarning("rollback: {}: {}", step, done.error().message);
  MutexLock lock(mutex_);
  status_->errors.push_back(std::string(step) + ": " + done.error().message);
  return false;
}

// The file is the truth: once it says so, the latch is not needed any more. What the guard has
// latched stays latched, and its file as it is, until somebody has looked at it.
Result<std::string> RollbackManager::TurnFlagOff(const Task& task) {
  if (task.cause != kLatchByOperator || !task.latched || task.latched->cause != kLatchByOperator)
    return std::string("left as it is");
  SB_RETURN_IF_ERROR(Failpoint("rollback.flags"));
  {
    MutexLock lock(mutex_);
    is_turning_off_ = true;
  }
  const auto turn = [&]() -> Status {
    SB_RETURN_IF_ERROR(SetFlagInFile(options_.flags_path, std::string(kUnifiedFlagName),
                                     {.enabled = false, .with_overrides = true}));
    if (options_.reload_flags) SB_RETURN_IF_ERROR(options_.reload_flags());
    if (!service_.flags().Current()->may_go_to_unified()) return {};
    return Fail(ErrorCode::kConflict, "somebody has turned the flag on again meanwhile");
  };
  const Status turned = turn();
  {
    MutexLock lock(mutex_);
    is_turning_off_ = false;
  }
  if (!turned)
    return Fail(
        turned.error().code,
        fmt::format("{}; every key stays on legacy all the same, until `switchback rollback "
                    "rearm {}`",
                    turned.error().message, task.latched->id));
  auto released = latch_.Release(task.latched->id);
  if (!released && released.error().code != ErrorCode::kNotFound) return Fail(released.error());
  return options_.flags_path + " says off";
}

Result<std::string> RollbackManager::KeepEvidence(const Task& task) {
  if (!options_.collect_evidence) return std::string("none is kept");
  std::int64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = status_->id;
  }
  auto files = options_.collect_evidence();
  files.push_back({"rollback.json", Json::parse(DetailJson(task)).dump(2) + "\n"});
  const auto bundle = WriteEvidence(options_.evidence_directory,
                                    BundleName(task.effective_at, task.cause, id), files);
  if (!bundle) return Fail(bundle.error());
  MutexLock lock(mutex_);
  status_->evidence = bundle->name;
  return bundle->archive;
}

Result<std::string> RollbackManager::ValidateNow() {
  ValidationResult result = ValidateRecovery(service_, clock_, options_.limits);
  std::string failed;
  for (const ValidationCheck& check : result.checks) {
    if (!check.is_passed) failed += (failed.empty() ? "" : "; ") + check.name + ": " + check.detail;
  }
  const auto text =
      fmt::format("{} checks in {:.0f} ms", result.checks.size(), result.milliseconds);
  {
    MutexLock lock(mutex_);
    status_->validation = std::move(result);
  }
  if (!failed.empty()) return Fail(ErrorCode::kUnavailable, failed);
  return text;
}

void RollbackManager::Finish(const Task& task) {
  std::int64_t id = 0;
  std::string final_status;
  {
    MutexLock lock(mutex_);
    RollbackStatus& status = *status_;
    const bool is_routed = task.kind != kFlagRollback || PercentageNow() == 0;
    const bool is_valid = status.validation && status.validation->is_passed();
    status.final_status = status.errors.empty()                     ? "SUCCESS"
                          : is_routed && task.kind == kFlagRollback ? "PARTIAL"
                                                                    : "FAILED";
    if (task.kind == kValidation && !is_valid) status.final_status = "FAILED";
    status.stage = status.final_status == "FAILED" ? "FAILED" : "COMPLETED";
    status.step = "";
    status.percent = 100;
    status.total_ms = std::chrono::duration<double, std::milli>(clock_.Now() - task.begun).count();
    id = status.id;
    final_status = status.final_status;
  }
  if (id != 0)
    (void)journal_.EndOperation(id, final_status == "FAILED" ? "failed" : "done", DetailJson(task));
  LogInfo("{} {}: {}", task.kind == kValidation ? "validation" : "rollback", id, final_status);
}

std::string RollbackManager::DetailJson(const Task& task) const {
  MutexLock lock(mutex_);
  Json json = RollbackStatusJson(*status_);
  json["cause"] = task.cause;
  json["effective_at"] = task.effective_at == WallTime{} ? "" : FormatUtc(task.effective_at);
  json["percentage_before"] = task.percentage_before;
  json["percentage_after"] = PercentageNow();
  if (task.kind == kFlagRollback && status_->validation) {
    if (const std::string critical = status_->validation->Critical(); !critical.empty())
      json["critical"] = "after the rollback the service is not well: " + critical;
  }
  if (task.latched) json["trip"] = task.latched->id;
  json["records_restored"] = 0;  // both stores hold every write: nothing has to be
  json["attempts"] = 1;
  return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

std::optional<RollbackStatus> RollbackManager::GetStatus() const {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace switchback
