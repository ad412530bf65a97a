#include "migration/migrator.hpp"

#include <fmt/core.h>

#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"
#include "migration/journal.hpp"

namespace switchback {
namespace {

std::string DetachedStateName(const FollowerStatus& target, const FillAttempt* attempt) {
  if (attempt == nullptr) return "none";
  const bool is_asked_for =
      !attempt->figures.needs_scratch && target.reason == attempt->detached_reason;
  return is_asked_for ? "running" : "failed";
}

std::string StateName(const FollowerStatus& target, const FillAttempt* attempt) {
  const bool needs_scratch = attempt != nullptr && attempt->figures.needs_scratch;
  switch (target.state) {
    case FollowerState::kInSync: return "complete";
    case FollowerState::kBackfilling: return needs_scratch ? "failed" : "running";
    case FollowerState::kCatchingUp: return "running";
    case FollowerState::kFailed: return "failed";
    case FollowerState::kDetached: return DetachedStateName(target, attempt);
  }
  SB_CHECK(false, "every follower state has a name here");
}

std::string WhyNotFlip(const FollowerStatus& target, Role role) {
  std::string reason = fmt::format("{} is {}", RoleName(role), FollowerStateName(target.state));
  if (target.state == FollowerState::kCatchingUp)
    reason += fmt::format(", {} batches behind", target.lag_batches);
  if (!target.reason.empty()) reason += ": " + target.reason;
  if (target.state == FollowerState::kDetached)
    reason += "; fill it first with `switchback migrate start`";
  return reason;
}

void AddFigures(const BackfillFigures& figures, MigrationStatus& status) {
  status.started_at = FormatUtc(figures.started_at);
  status.records_done = figures.records_done;
  status.records_total = figures.records_total;
  status.bytes_done = figures.bytes_done;
  status.records_per_second = figures.records_per_second;
  status.eta_seconds = figures.EtaSeconds();
  status.current_collection = figures.current_collection;
  if (figures.error) status.error = figures.error->message;
  // Filled but not caught up yet is not done yet.
  status.percent = figures.is_filled ? 99.9 : figures.Percent();
}

}  // namespace

MigrationStatus SummarizeMigration(const FollowerStatus& source, const FollowerStatus& target,
                                   Role target_role, const FillAttempt* attempt) {
  MigrationStatus status;
  status.state = StateName(target, attempt);
  if (attempt != nullptr) AddFigures(attempt->figures, status);
  if (status.state == "failed" && status.error.empty()) status.error = target.reason;
  status.can_flip = target.state == FollowerState::kInSync;
  if (status.can_flip) {
    status.percent = 100.0;
    status.eta_seconds = 0.0;
    status.error.clear();
  } else {
    status.can_flip_reason = WhyNotFlip(target, target_role);
    if (status.state == "running" && source.state != FollowerState::kInSync)
      status.can_flip_reason +=
          fmt::format("; {} is {}", RoleName(Other(target_role)), FollowerStateName(source.state));
  }
  SB_CHECK(status.can_flip == status.can_flip_reason.empty(), "no without a reason");
  SB_CHECK((status.percent < 100.0) == (status.state != "complete"), "100 percent means complete");
  return status;
}

Migrator::Migrator(DbService& service, const Clock& clock, MigratorOptions options)
    : service_(service),
      clock_(clock),
      options_(std::move(options)),
      source_(options_.backfill.source),
      target_(Other(source_)) {}

Status Migrator::Start() {
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(CheckMayStart(service_.GetStatus()));
  const auto mode = ChooseMode();
  if (!mode) return Fail(mode.error());
  return StartFill(*mode);
}

Status Migrator::CheckMayStart(const ServiceStatus& status) const {
  const FollowerStatus& source = status.followers[Index(source_)];
  const FollowerStatus& target = status.followers[Index(target_)];
  if (target.state == FollowerState::kInSync) {
    return Fail(ErrorCode::kRefused,
                fmt::format("{} holds every record and is in sync: there is nothing to fill",
                            RoleName(target_)));
  }
  if (target.state == FollowerState::kCatchingUp) {
    return Fail(ErrorCode::kConflict, fmt::format("{} is filled and catches up, {} batches behind",
                                                  RoleName(target_), target.lag_batches));
  }
  // Without a fill of this process an interrupted one waits for somebody to resume it.
  const bool is_under_way = progress_ != nullptr && !progress_->Figures().needs_scratch;
  if (target.state == FollowerState::kBackfilling && is_under_way) {
    return Fail(ErrorCode::kConflict, fmt::format("a fill of {} is under way", RoleName(target_)));
  }
  if (source.state != FollowerState::kInSync) {
    return Fail(ErrorCode::kRefused, fmt::format("{}, the source, is {}{}{}", RoleName(source_),
                                                 FollowerStateName(source.state),
                                                 source.reason.empty() ? "" : ": ", source.reason));
  }
  return {};
}

Result<FillMode> Migrator::ChooseMode() const {
  if (progress_ != nullptr && progress_->Figures().needs_scratch) return FillMode::kFromScratch;
  auto view = service_.fill_access().NewStoreView(target_);
  if (!view) return Fail(WithContext(view.error(), fmt::format("open {}", RoleName(target_))));
  SB_RETURN_IF_ERROR((*view)->Begin());
  const auto state = (*view)->State();
  if (!state) return Fail(state.error());
  if (!state->log_id.empty()) return state->is_filling ? FillMode::kResume : FillMode::kFromScratch;
  // A fill empties its target. Records of unknown origin are somebody's data (I9).
  const auto records = CountTargetRecords(**view);
  (*view)->End();
  if (!records) return Fail(records.error());
  if (*records > 0) {
    return Fail(ErrorCode::kRefused,
                fmt::format("{} holds {} records that Switchback did not write, and a fill would "
                            "delete them: move the file away first",
                            RoleName(target_), *records));
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

Status Migrator::StartFill(FillMode mode) {
  auto progress = std::make_shared<BackfillProgress>(clock_);
  auto source = std::make_unique<Backfill>(service_.fill_access(), options_.backfill, progress);
  std::string reason = service_.GetStatus().followers[Index(target_)].reason;
  SB_RETURN_IF_ERROR(service_.StartFill(target_, mode, std::move(source)));
  progress_ = std::move(progress);
  detached_reason_ = std::move(reason);
  LogInfo("fill of {} from {} {}", RoleName(target_), RoleName(source_),
          mode == FillMode::kResume ? "goes on where it was interrupted" : "begins");
  return {};
}

Status Migrator::ResumeIfInterrupted() {
  MutexLock lock(mutex_);
  auto view = service_.fill_access().NewStoreView(target_);
  if (!view) return Fail(WithContext(view.error(), fmt::format("open {}", RoleName(target_))));
  SB_RETURN_IF_ERROR((*view)->Begin());
  const auto state = (*view)->State();
  (*view)->End();
  if (!state) return Fail(state.error());
  if (!state->is_filling) return {};
  return StartFill(FillMode::kResume);
}

MigrationStatus Migrator::GetStatus() {
  const ServiceStatus status = service_.GetStatus();
  MutexLock lock(mutex_);
  std::optional<FillAttempt> attempt;
  if (progress_) attempt = FillAttempt{progress_->Figures(), detached_reason_};
  return SummarizeMigration(status.followers[Index(source_)], status.followers[Index(target_)],
                            target_, attempt ? &*attempt : nullptr);
}

}  // namespace switchback
