#include "migration/migration_status.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

// Removing files is quick; what takes time is reading legacy once.
constexpr double kRollBackSecondsMin = 1;
constexpr double kCheckRecordsPerSecond = 2e6;

// When no phase says more: what the stores say by themselves.
std::string IdleState(const FollowerStatus& target, const MigrationRecord& record) {
  switch (target.state) {
    case FollowerState::kInSync: return "complete";
    case FollowerState::kBackfilling:
    case FollowerState::kCatchingUp: return "running";
    case FollowerState::kFailed: return "failed";
    case FollowerState::kDetached: return record.last_result.empty() ? "none" : "rolled-back";
  }
  SB_CHECK(false, "every follower state has a name here");
}

std::string ReadyState(const FollowerStatus& target, const MigrationRecord& record) {
  if (target.state == FollowerState::kInSync)
    return record.verify.outcome == "differences" ? "failed" : "complete";
  return target.state == FollowerState::kCatchingUp ? "running" : "failed";
}

std::string StateName(const FollowerStatus& target, const MigrationRecord& record) {
  switch (record.phase) {
    case kIdle: return IdleState(target, record);
    case kCopying:
    case kVerifying: return "running";
    case kReady: return ReadyState(target, record);
    default: return MigrationPhaseName(record.phase);
  }
}

std::string WhyNotFlip(const FollowerStatus& unified) {
  if (unified.state == FollowerState::kInSync) return "";
  std::string reason = fmt::format("unified is {}", FollowerStateName(unified.state));
  if (unified.state == FollowerState::kCatchingUp)
    reason += fmt::format(", {} batches behind", unified.lag_batches);
  reason += Because(unified);
  if (unified.state == FollowerState::kDetached &&
      reason.find("migrate start") == std::string::npos)
    reason += "; fill it first with `switchback migrate start`";
  return reason;
}

void AddFigures(const BackfillFigures& figures, MigrationStatus& status) {
  status.records_done = figures.records_done;
  status.records_total = figures.records_total;
  status.bytes_done = figures.bytes_done;
  status.records_per_second = figures.records_per_second;
  status.bytes_per_second = figures.bytes_per_second;
  status.eta_seconds = figures.EtaSeconds();
  status.current_collection = figures.current_collection;
  if (figures.error) status.error = figures.error->message;
  // Filled but not caught up yet is not done yet.
  status.percent = figures.is_filled ? 99.9 : figures.Percent();
}

void AddError(const FollowerStatus& source, const FollowerStatus& target,
              const MigrationRecord& record, MigrationStatus& status) {
  const bool is_sick = target.state == FollowerState::kFailed ||
                       (target.state == FollowerState::kDetached && !target.is_fill_under_way);
  if (record.phase == kLocked) status.error = record.locked_reason;
  if (record.phase == kReady && record.verify.outcome == "differences" && !is_sick) {
    status.error = fmt::format(
        "verify found {} differences: see `switchback verify --status`, and mend them with "
        "`switchback verify --repair legacy`",
        record.verify.differences);
  } else if (status.error.empty() && is_sick &&
             (status.state == "failed" || status.state == "running")) {
    status.error = target.reason;
  }
  if (status.error.empty() && status.state == "running" && source.state != FollowerState::kInSync)
    status.error = fmt::format("{} is {}{}", RoleName(Other(record.target)),
                               FollowerStateName(source.state), Because(source));
}

void AddAnswers(const ServiceStatus& service, const MigrationRecord& record,
                MigrationStatus& status) {
  status.can_flip_reason = WhyNotFlip(service.followers[Index(Role::kUnified)]);
  if (status.can_flip_reason.empty()) status.can_flip_reason = WhyUnverified(record);
  status.can_flip = status.can_flip_reason.empty();
  status.can_roll_back_reason = WhyNotRollBack(service, record);
  status.can_roll_back = status.can_roll_back_reason.empty();
  if (status.can_roll_back) {
    status.roll_back_seconds =
        kRollBackSecondsMin + static_cast<double>(status.records_total) / kCheckRecordsPerSecond;
  }
  status.can_complete_reason = WhyNotComplete(service, record);
  status.can_complete = status.can_complete_reason.empty();
}

}  // namespace

std::string Because(const FollowerStatus& store) {
  return store.reason.empty() ? "" : ": " + store.reason;
}

std::string WhyUnverified(const MigrationRecord& record) {
  if (!record.is_unified_unverified || record.is_unverified_allowed) return "";
  if (record.phase == kVerifying) return "the copy is being verified";
  if (record.verify.outcome == "differences")
    return fmt::format(
        "verify found {} differences between the stores: `switchback verify "
        "--repair legacy` copies them again",
        record.verify.differences);
  return "the copy has not been verified: run `switchback verify`, or say --allow-unverified";
}

std::string WhyNotRollBack(const ServiceStatus& service, const MigrationRecord& record) {
  const FollowerStatus& source = service.followers[Index(Other(record.target))];
  const FollowerStatus& target = service.followers[Index(record.target)];
  switch (record.phase) {
    case kRollingBack: return "it is being rolled back";
    case kCompleting: return "legacy is being let go";
    case kCompleted:
      return "legacy was let go: `switchback migrate start --reverse` fills it again";
    default: break;
  }
  const bool is_nothing = record.phase == kIdle && target.state == FollowerState::kDetached;
  if (is_nothing) return "there is nothing to roll back";
  if (source.state != FollowerState::kInSync)
    return fmt::format("{} is {}{}: {} may hold records that it lacks",
                       RoleName(Other(record.target)), FollowerStateName(source.state),
                       Because(source), RoleName(record.target));
  if (record.target == Role::kUnified && service.routing.desired_percentage > 0)
    return fmt::format("the flag sends {:.6g} % of the keys to unified: switch it off first",
                       service.routing.desired_percentage);
  if (record.target == Role::kLegacy && target.state == FollowerState::kInSync)
    return "legacy is filled and serves: `switchback migrate complete` lets it go again";
  return "";
}

std::string WhyNotComplete(const ServiceStatus& service, const MigrationRecord& record) {
  if (record.phase == kCompleted) return "it is completed";
  if (record.phase != kReady && record.phase != kIdle)
    return fmt::format("the migration is {}", MigrationPhaseName(record.phase));
  for (const Role role : kRoles) {
    const FollowerStatus& store = service.followers[Index(role)];
    if (store.state != FollowerState::kInSync)
      return fmt::format("{} is {}{}", RoleName(role), FollowerStateName(store.state),
                         Because(store));
  }
  if (!service.followers[Index(Role::kUnified)].collections.empty())
    return "unified holds some of the collections only: `switchback migrate start` copies the rest";
  if (service.routing.effective_percentage < 100)
    return fmt::format("unified answers {:.6g} % of the keys: send it all first",
                       service.routing.effective_percentage);
  if (record.verify.outcome != "clean") return "there is no clean verify: run `switchback verify`";
  return "";
}

MigrationStatus SummarizeMigration(const ServiceStatus& service, const MigrationRecord& record,
                                   const FillAttempt* attempt) {
  const FollowerStatus& source = service.followers[Index(Other(record.target))];
  const FollowerStatus& target = service.followers[Index(record.target)];
  MigrationStatus status;
  status.state = StateName(target, record);
  status.phase = MigrationPhaseName(record.phase);
  status.target = RoleName(record.target);
  status.collections = record.collections;
  status.operation = record.operation;
  status.actor = record.actor;
  status.reason = record.reason;
  status.started_at = record.started_at;
  status.active_seconds = record.active_seconds;
  status.note = record.note;
  status.last_result = record.last_result;
  status.kept_legacy = record.kept_legacy;
  status.verify = record.verify;
  status.settings = record.settings;
  status.lag_batches = target.lag_batches;
  if (target.state == FollowerState::kBackfilling) status.waiting = target.reason;
  if (record.phase == kCopying && !record.is_backed_up)
    status.waiting = "for the backup that comes first: `switchback backup status`";
  if (attempt != nullptr) {
    AddFigures(attempt->figures, status);
    status.invalid_records = attempt->invalid_records;
  }
  status.seconds_max = record.settings.SecondsMax(status.records_total);
  const bool is_done = status.state == "complete" || status.state == "completed";
  if (is_done) {
    status.percent = 100;
    status.eta_seconds = 0;
    status.error.clear();
  } else {
    status.percent = std::min(status.percent, 99.9);
    AddError(source, target, record, status);
  }
  AddAnswers(service, record, status);
  SB_CHECK(status.can_flip == status.can_flip_reason.empty(), "no without a reason");
  SB_CHECK((status.percent < 100.0) == !is_done, "100 percent means complete");
  return status;
}

}  // namespace switchback
