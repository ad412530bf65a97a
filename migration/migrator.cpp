#include "migration/migrator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr const char* kDocument = "migration";
constexpr std::chrono::milliseconds kForgetWaitMax{10'000};

std::string Named(const std::string& actor) {
  return actor.empty() ? "somebody" : actor;
}

std::string NamesText(const std::vector<std::string>& collections) {
  return collections.empty() ? "all collections" : fmt::format("{}", fmt::join(collections, ", "));
}

}  // namespace

Result<std::unique_ptr<Migrator>> Migrator::Open(DbService& service, Journal& journal,
                                                 const Clock& clock, MigratorOptions options) {
  const auto json = journal.Load(kDocument);
  if (!json) return Fail(json.error());
  MigrationRecord record;
  record.settings = options.settings;
  if (*json) {
    auto parsed = ParseMigrationRecord(**json);
    if (!parsed) return Fail(parsed.error());
    record = *std::move(parsed);
  }
  return std::unique_ptr<Migrator>(
      new Migrator(service, journal, clock, std::move(options), std::move(record)));
}

Migrator::Migrator(DbService& service, Journal& journal, const Clock& clock,
                   MigratorOptions options, MigrationRecord record)
    : service_(service),
      journal_(journal),
      clock_(clock),
      options_(std::move(options)),
      rollback_(service, journal, clock) {
  MutexLock lock(mutex_);
  active_seconds_ = static_cast<double>(record.active_seconds);
  Publish(std::move(record));
}

Migrator::~Migrator() {
  Stop();
}

// --- The record ---

void Migrator::Publish(MigrationRecord next) {
  record_ = std::move(next);
  std::string why = options_.is_unverified_allowed ? "" : WhyUnverified(record_);
  MutexLock lock(gate_mutex_);
  why_unverified_ = std::move(why);
}

Status Migrator::Save(MigrationRecord next) {
  next.active_seconds = static_cast<std::uint64_t>(active_seconds_);
  SB_RETURN_IF_ERROR(Failpoint("migration.journal"));
  SB_RETURN_IF_ERROR(journal_.Store(kDocument, MigrationRecordToJson(next)));
  Publish(std::move(next));
  return {};
}

Status Migrator::Move(MigrationRecord next) {
  const MigrationPhase from = record_.phase;
  const MigrationPhase to = next.phase;
  SB_CHECK(MayMove(from, to), "an edge of the migration's phase table");
  SB_RETURN_IF_ERROR(Save(std::move(next)));
  LogInfo("migration: {} -> {}", MigrationPhaseName(from), MigrationPhaseName(to));
  SB_CHECK(record_.phase == to, "a phase is journaled before it is acted upon");
  return {};
}

Status Migrator::MayFlip() const {
  MutexLock lock(gate_mutex_);
  if (why_unverified_.empty()) return {};
  return Fail(ErrorCode::kRefused, why_unverified_);
}

std::string Migrator::Where() const {
  if (record_.operation == 0)
    return fmt::format("the migration is {}", MigrationPhaseName(record_.phase));
  return fmt::format("migration {}, begun by {} at {}, is {}", record_.operation,
                     Named(record_.actor), record_.started_at, MigrationPhaseName(record_.phase));
}

// --- Starting ---

Status Migrator::CheckMayStart(const MigrationRequest& request, const ServiceStatus& status) const {
  const Role target_role = request.target;
  const Role source_role = Other(target_role);
  const FollowerStatus& source = status.followers[Index(source_role)];
  const FollowerStatus& target = status.followers[Index(target_role)];
  switch (record_.phase) {
    case kCopying:
    case kVerifying:
    case kRollingBack:
    case kCompleting: return Fail(ErrorCode::kConflict, Where());
    case kPaused:
      return Fail(ErrorCode::kConflict, Where() + ": `switchback migrate resume` goes on with it");
    case kLocked: return Fail(ErrorCode::kRefused, Where() + ": " + record_.locked_reason);
    default: break;
  }
  const bool is_other_set = target.collections != request.collections;
  if (target.state == FollowerState::kInSync && !is_other_set)
    return Fail(ErrorCode::kRefused,
                fmt::format("{} holds every record and is in sync: there is nothing to fill",
                            RoleName(target_role)));
  // It is filled anew, and out of service meanwhile.
  if (target.state == FollowerState::kInSync && status.routing.desired_percentage > 0)
    return Fail(ErrorCode::kRefused,
                fmt::format("{} holds {} and the flag sends {:.6g} % of the keys there: switch it "
                            "off first, then start again",
                            RoleName(target_role), NamesText(target.collections),
                            status.routing.desired_percentage));
  if (target.state == FollowerState::kCatchingUp)
    return Fail(ErrorCode::kConflict, fmt::format("{} is filled and catches up, {} batches behind",
                                                  RoleName(target_role), target.lag_batches));
  if (source.state != FollowerState::kInSync)
    return Fail(ErrorCode::kRefused, fmt::format("{}, the source, is {}{}", RoleName(source_role),
                                                 FollowerStateName(source.state), Because(source)));
  if (!source.collections.empty())
    return Fail(ErrorCode::kRefused,
                fmt::format("{}, the source, holds {} only", RoleName(source_role),
                            NamesText(source.collections)));
  return {};
}

Status Migrator::CheckCollections(const MigrationRequest& request) const {
  if (request.collections.empty()) return {};
  if (request.target == Role::kLegacy)
    return Fail(ErrorCode::kInvalidArgument, "a copy in reverse is one of all collections");
  const auto known = service_.CollectionNames();
  if (!known) return Fail(known.error());
  for (const std::string& name : request.collections) {
    if (!std::binary_search(known->begin(), known->end(), name))
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is no collection \"{}\": there {}", name,
                              known->empty() ? "is none" : "is " + NamesText(*known)));
  }
  return {};
}

Status Migrator::Start(const MigrationRequest& asked) {
  MutexLock lock(mutex_);
  const ServiceStatus status = service_.GetStatus();
  MigrationRequest request = asked;
  std::sort(request.collections.begin(), request.collections.end());
  const auto repeated = std::unique(request.collections.begin(), request.collections.end());
  request.collections.erase(repeated, request.collections.end());
  SB_RETURN_IF_ERROR(CheckMayStart(request, status));
  SB_RETURN_IF_ERROR(CheckCollections(request));
  MigrationRecord next;
  next.settings = record_.settings;
  next.is_unified_unverified = record_.is_unified_unverified || request.target == Role::kUnified;
  next.phase = kCopying;
  next.target = request.target;
  next.collections = request.collections;
  next.actor = request.actor;
  next.reason = request.reason;
  SB_RETURN_IF_ERROR(ChangeMigrationSettings(request.settings_json, next.settings));
  next.is_backed_up = !options_.begin_backup || !next.settings.is_backed_up_before;
  const MigrationRecord before = record_;
  const auto mode = ChooseMode(next);
  if (!mode) return Fail(mode.error());
  Measure(status);
  next.read_p99_before_us = reads_.LongP99();
  next.write_p99_before_us = writes_.LongP99();
  const auto operation = journal_.BeginOperation("migration", request.actor, request.reason);
  if (!operation) return Fail(operation.error());
  next.operation = *operation;
  next.started_at = FormatUtc(clock_.WallNow());
  SB_RETURN_IF_ERROR(journal_.Audit(request.actor, "migration.start", request.reason));
  SB_RETURN_IF_ERROR(journal_.ClearFindings(InvalidRecords::kList));
  active_seconds_ = 0;
  invalid_.reset();
  SB_RETURN_IF_ERROR(Move(next));
  Measure(status);  // so that a rate holds from the first step on
  progress_.reset();
  if (!record_.is_backed_up) return {};  // the next tick
  Status begun = ForgetOtherSet(status);
  if (begun) begun = BeginFill(*mode);
  if (begun) return {};
  // Nothing has begun: as before.
  SB_RETURN_IF_ERROR(journal_.EndOperation(*operation, "failed", "{}"));
  SB_RETURN_IF_ERROR(Save(before));
  return begun;
}

// A store that holds another set of collections than the migration is about holds nothing that
// counts.
Status Migrator::ForgetOtherSet(const ServiceStatus& status) {
  const FollowerStatus& target = status.followers[Index(record_.target)];
  if (target.state != FollowerState::kInSync || target.collections == record_.collections)
    return {};
  return service_.ForgetStore(record_.target, "it is filled with another set of collections",
                              kForgetWaitMax);
}

Result<StoreState> Migrator::StateOf(Role role) const {
  auto view = service_.fill_access().NewStoreView(role);
  if (!view) return Fail(WithContext(view.error(), fmt::format("open {}", RoleName(role))));
  SB_RETURN_IF_ERROR((*view)->Begin());
  auto state = (*view)->State();
  (*view)->End();
  return state;
}

Result<FillMode> Migrator::ChooseMode(const MigrationRecord& record) const {
  if (progress_ != nullptr && progress_->Figures().needs_scratch) return FillMode::kFromScratch;
  const auto state = StateOf(record.target);
  if (!state) return Fail(state.error());
  if (!state->log_id.empty()) {
    const bool is_same = state->fill_collection.empty() || state->collections == record.collections;
    return state->is_filling && is_same ? FillMode::kResume : FillMode::kFromScratch;
  }
  // A fill empties its target. Records of unknown origin are somebody's data (I9).
  auto view = service_.fill_access().NewStoreView(record.target);
  if (!view) return Fail(view.error());
  SB_RETURN_IF_ERROR((*view)->Begin());
  const auto records = CountTargetRecords(**view);
  (*view)->End();
  if (!records) return Fail(records.error());
  if (*records > 0) {
    return Fail(ErrorCode::kRefused,
                fmt::format("{} holds {} records that Switchback did not write, and a fill would "
                            "delete them: move the file away first",
                            RoleName(record.target), *records));
  }
  return FillMode::kFromScratch;
}

Result<std::uint64_t> Migrator::CountTargetRecords(ReadView& view) const {
  const auto names = view.CollectionNames();
  if (!names) return Fail(names.error());
  std::uint64_t records = 0;
  for (const std::string& name : *names) {
    const auto collection = service_.catalog().Intern(name);
    if (!collection) return Fail(collection.error());
    const auto count = view.Count(**collection);
    if (!count) return Fail(count.error());
    records += *count;
  }
  return records;
}

Status Migrator::BeginFill(FillMode mode) {
  if (!invalid_ && !options_.rules.is_empty()) {
    auto invalid = InvalidRecords::Open(options_.rules, journal_);
    if (!invalid) return Fail(invalid.error());
    invalid_ = *std::move(invalid);
  }
  auto progress = std::make_shared<BackfillProgress>(clock_);
  BackfillOptions options = options_.backfill;
  options.source = source();
  options.collections = record_.collections;
  options.throttle = throttle_;
  options.invalid = invalid_;
  auto fill = std::make_unique<Backfill>(service_.fill_access(), options, progress);
  SB_RETURN_IF_ERROR(service_.StartFill(record_.target, mode, std::move(fill)));
  progress_ = std::move(progress);
  out_of_reach_since_.reset();
  LogInfo("fill of {} from {} {}", RoleName(record_.target), RoleName(source()),
          mode == FillMode::kResume ? "goes on where it was interrupted" : "begins");
  return {};
}

Status Migrator::ResumeIfInterrupted() {
  MutexLock lock(mutex_);
  const auto state = StateOf(record_.target);
  if (!state) return Fail(state.error());
  const bool is_interrupted = state->is_filling && !state->fill_collection.empty();
  // A fill that the journal knows nothing of: that of a version before it, or of a library's user.
  if (record_.phase == kIdle && is_interrupted) {
    MigrationRecord next = record_;
    next.phase = kCopying;
    next.collections = state->collections;
    next.started_at = FormatUtc(clock_.WallNow());
    next.is_unified_unverified = next.target == Role::kUnified;
    SB_RETURN_IF_ERROR(Move(std::move(next)));
  }
  if (record_.phase != kCopying) return {};
  if (!record_.is_backed_up) return {};                         // the next tick
  if (!state->is_filling && !state->log_id.empty()) return {};  // filled: it catches up
  Measure(service_.GetStatus());
  const auto mode = ChooseMode(record_);
  return mode ? BeginFill(*mode) : Status(Fail(mode.error()));
}

// --- An operator's other calls ---

Status Migrator::Pause(const std::string& actor) {
  MutexLock lock(mutex_);
  if (record_.phase == kPaused) return {};
  if (record_.phase != kCopying)
    return Fail(ErrorCode::kRefused, Where() + ": only a copy can be paused");
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "migration.pause", ""));
  MigrationRecord next = record_;
  next.phase = kPaused;
  SB_RETURN_IF_ERROR(Move(std::move(next)));
  if (progress_) progress_->SetPaused(true);
  active_at_.reset();
  return {};
}

Status Migrator::Resume(const std::string& actor) {
  MutexLock lock(mutex_);
  if (record_.phase == kCopying || record_.phase == kRollingBack) return {};
  if (record_.phase != kPaused && record_.phase != kLocked)
    return Fail(ErrorCode::kRefused, Where() + ": there is nothing to resume");
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "migration.resume", ""));
  MigrationRecord next = record_;
  next.phase = record_.phase == kLocked ? kRollingBack : kCopying;
  next.locked_reason.clear();
  SB_RETURN_IF_ERROR(Move(std::move(next)));
  if (record_.phase == kRollingBack) return {};  // the next tick
  retry_at_ = SteadyTime{};
  if (progress_) progress_->SetPaused(false);  // else the next tick begins it
  return {};
}

Status Migrator::BeginRollback(MigrationRecord next, const std::string& trigger,
                               const std::string& actor, const std::string& reason) {
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "migration.rollback." + trigger, reason));
  const auto operation = journal_.BeginOperation("migration-rollback", actor, reason);
  if (!operation) return Fail(operation.error());
  next.phase = kRollingBack;
  next.rollback_operation = *operation;
  next.rollback_trigger = trigger;
  next.rollback_actor = actor;
  next.rollback_reason = reason;
  SB_RETURN_IF_ERROR(Move(std::move(next)));
  if (progress_) progress_->Cancel();
  LogWarning("migration: rolling back ({}): {}", trigger, reason);
  return {};
}

Status Migrator::Cancel(const std::string& actor, const std::string& reason) {
  MutexLock lock(mutex_);
  switch (record_.phase) {
    case kCopying:
    case kPaused:
    case kVerifying: break;
    case kRollingBack: return Fail(ErrorCode::kConflict, Where() + " already");
    case kReady:
      return Fail(ErrorCode::kRefused, Where() +
                                           ": the copy is finished. `switchback migrate abandon` "
                                           "removes it");
    case kCompleting:
    case kCompleted:
      return Fail(ErrorCode::kRefused,
                  Where() +
                      ": past the point of no return. `switchback migrate start --reverse` "
                      "fills legacy again");
    default: return Fail(ErrorCode::kRefused, Where() + ": there is nothing to cancel");
  }
  if (const std::string why = WhyNotRollBack(service_.GetStatus(), record_); !why.empty())
    return Fail(ErrorCode::kRefused, why);
  return BeginRollback(record_, "cancel", actor,
                       reason.empty() ? "cancelled by an operator" : reason);
}

Status Migrator::Abandon(const std::string& actor, const std::string& reason) {
  MutexLock lock(mutex_);
  if (record_.phase == kRollingBack) return Fail(ErrorCode::kConflict, Where() + " already");
  if (record_.phase == kLocked)
    return Fail(ErrorCode::kRefused, Where() + ": " + record_.locked_reason);
  // After a copy in reverse it is still unified that is abandoned.
  MigrationRecord asked = record_;
  if (asked.phase == kReady) asked.target = Role::kUnified;
  if (const std::string why = WhyNotRollBack(service_.GetStatus(), asked); !why.empty())
    return Fail(ErrorCode::kRefused, why);
  return BeginRollback(asked, "abandon", actor,
                       reason.empty() ? "abandoned by an operator" : reason);
}

Status Migrator::Complete(const std::string& actor, const std::string& reason) {
  MutexLock lock(mutex_);
  if (record_.phase == kCompleting) return Fail(ErrorCode::kConflict, Where() + " already");
  if (const std::string why = WhyNotComplete(service_.GetStatus(), record_); !why.empty())
    return Fail(ErrorCode::kRefused, why);
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "migration.complete", reason));
  const auto operation = journal_.BeginOperation("migration-complete", actor, reason);
  if (!operation) return Fail(operation.error());
  MigrationRecord next = record_;
  next.phase = kCompleting;
  next.operation = *operation;
  next.actor = actor;
  next.reason = reason;
  next.started_at = FormatUtc(clock_.WallNow());
  next.note.clear();
  next.backup.clear();
  next.is_backed_up = !options_.begin_backup || !next.settings.is_backed_up_before;
  is_completion_verified_ = !options_.start_verify;
  is_verify_running_ = false;
  retry_at_ = SteadyTime{};
  return Move(std::move(next));
}

Status Migrator::ChangeSettings(const std::string& json, const std::string& actor) {
  MutexLock lock(mutex_);
  MigrationRecord next = record_;
  SB_RETURN_IF_ERROR(ChangeMigrationSettings(json, next.settings));
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "migration.settings", json));
  SB_RETURN_IF_ERROR(Save(std::move(next)));
  Measure(service_.GetStatus());
  return {};
}

Status Migrator::AllowUnverified(const std::string& actor, const std::string& reason) {
  MutexLock lock(mutex_);
  if (WhyUnverified(record_).empty()) return {};
  SB_RETURN_IF_ERROR(journal_.Audit(actor, "flag.allow-unverified", reason));
  LogWarning("{} allows flags to send keys to a copy that was not verified", Named(actor));
  MigrationRecord next = record_;
  next.is_unverified_allowed = true;
  return Save(std::move(next));
}

void Migrator::OnVerifyEnd(const VerifyResult& result) {
  MutexLock lock(mutex_);
  is_verify_running_ = false;
  retry_at_ = clock_.Now() + std::chrono::seconds(5);
  if (!result.is_finished) return;
  MigrationRecord next = record_;
  next.verify = {result.differences == 0 ? "clean" : "differences", FormatUtc(clock_.WallNow()),
                 result.sequence, result.records, result.differences};
  // A reverse copy was compared as well, but what gates a flag is unified.
  next.is_unified_unverified = result.differences != 0;
  Status saved;
  if (record_.phase == kVerifying) {
    saved = EndCopy(std::move(next));
  } else {
    saved = Save(std::move(next));
  }
  if (saved && record_.phase == kCompleting) {
    is_completion_verified_ = result.differences == 0;
    if (!is_completion_verified_)
      EndCompletion(Fail(ErrorCode::kRefused, "the verify before it found differences"));
  }
  if (!saved) LogWarning("migration: cannot journal a verify: {}", saved.error().message);
}

Status Migrator::EndCopy(MigrationRecord next) {
  next.phase = kReady;
  SB_RETURN_IF_ERROR(Move(std::move(next)));
  const std::uint64_t records = progress_ ? progress_->Figures().records_done : 0;
  return journal_.EndOperation(record_.operation, "done",
                               fmt::format(R"({{"from":"{}","to":"{}","records":{}}})",
                                           RoleName(source()), RoleName(record_.target), records));
}

MigrationStatus Migrator::GetStatus() {
  const ServiceStatus service = service_.GetStatus();
  MutexLock lock(mutex_);
  std::optional<FillAttempt> attempt;
  if (progress_) attempt = FillAttempt{progress_->Figures(), invalid_ ? invalid_->count() : 0};
  MigrationStatus status = SummarizeMigration(service, record_, attempt ? &*attempt : nullptr);
  status.active_seconds = static_cast<std::uint64_t>(active_seconds_);
  status.pace = throttle_->pace();
  status.signals = throttle_->Signals();
  if (options_.is_unverified_allowed &&
      service.followers[Index(Role::kUnified)].state == FollowerState::kInSync) {
    status.can_flip = true;
    status.can_flip_reason.clear();
  }
  if (has_rolled_back_) status.rollback = rollback_.GetProgress();
  return status;
}

// --- The thread ---

void Migrator::StartThread() {
  SB_CHECK(!thread_.joinable(), "the migrator's thread is started once");
  thread_ = std::thread([this] {
    while (true) {
      Tick();
      MutexLock lock(thread_mutex_);
      if (is_stopping_) return;
      thread_wake_.WaitUntil(thread_mutex_, std::chrono::steady_clock::now() + kTickInterval);
      if (is_stopping_) return;
    }
  });
}

void Migrator::Stop() {
  rollback_.Stop();
  {
    MutexLock lock(thread_mutex_);
    is_stopping_ = true;
    thread_wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace switchback
