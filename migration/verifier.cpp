#include "migration/verifier.hpp"

#include <algorithm>
#include <utility>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

std::string NamesOf(const std::vector<std::string>& collections) {
  if (collections.empty()) return "all collections";
  std::string names;
  for (const std::string& name : collections) names += (names.empty() ? "" : ", ") + name;
  return names;
}

std::string Describe(const FollowerStatus& store) {
  return std::string(FollowerStateName(store.state)) +
         (store.reason.empty() ? "" : ": " + store.reason);
}

}  // namespace

Verifier::Verifier(DbService& service, Journal& journal, const Clock& clock,
                   VerifierOptions options)
    : service_(service),
      journal_(journal),
      findings_(journal),
      clock_(clock),
      options_(std::move(options)) {
  auto record = LoadVerifyRecord(journal_);
  if (!record) {
    LogWarning("verify: {}", record.error().message);
    return;
  }
  if (record->state == "running") record->state = "interrupted";
  reached_ = record->progress;
  records_total_ = record->records_total;
  status_ = StatusOf(*record);
}

Status Verifier::Start(VerifyOptions options, std::string actor) {
  MutexLock lock(mutex_);
  return StartLocked(std::move(options), std::move(actor));
}

Status Verifier::ResumeIfInterrupted() {
  MutexLock lock(mutex_);
  const auto record = LoadVerifyRecord(journal_);
  if (!record) return Fail(record.error());
  if (record->state != "running" || is_running_) return {};
  return StartLocked(record->options, record->actor);
}

Status Verifier::StartLocked(VerifyOptions options, std::string actor) {
  if (is_running_) {
    return Fail(ErrorCode::kConflict, "a verify of " + NamesOf(status_.options.collections) +
                                          " is running, begun by " + status_.actor + " at " +
                                          status_.started_at);
  }
  if (ending_ == Ending::kStop) return Fail(ErrorCode::kCancelled, "the service is stopping");
  std::sort(options.collections.begin(), options.collections.end());
  SB_RETURN_IF_ERROR(CheckFit(options));
  SB_RETURN_IF_ERROR(CheckCollections(options.collections));
  auto record = NewRecord(std::move(options), std::move(actor));
  if (!record) return Fail(record.error());
  SB_RETURN_IF_ERROR(StoreVerifyRecord(journal_, *record));
  StartThread(*std::move(record));
  return {};
}

Status Verifier::CheckFit(const VerifyOptions& options) const {
  const ServiceStatus status = service_.GetStatus();
  for (const Role role : kRoles) {
    const FollowerStatus& store = status.followers[Index(role)];
    if (store.state != FollowerState::kDetached && store.state != FollowerState::kBackfilling)
      continue;
    return Fail(ErrorCode::kRefused, std::string(RoleName(role)) + " is " + Describe(store) +
                                         "; it can be compared once it is filled");
  }
  if (!options.repair_from) return {};
  const Role from = *options.repair_from;
  const FollowerStatus& source = status.followers[Index(from)];
  const FollowerStatus& target = status.followers[Index(Other(from))];
  if (source.state != FollowerState::kInSync) {
    return Fail(ErrorCode::kRefused, std::string("cannot repair from ") + RoleName(from) +
                                         ": it is " + Describe(source));
  }
  // A repair goes through the log, which such a store does not follow.
  if (target.state != FollowerState::kFailed) return {};
  return Fail(ErrorCode::kRefused, std::string(RoleName(Other(from))) +
                                       " would not get the repair: it is " + Describe(target));
}

Status Verifier::CheckCollections(const std::vector<std::string>& wanted) {
  if (wanted.empty()) return {};
  auto known = service_.CollectionNames();
  if (!known) return Fail(known.error());
  for (const Role role : kRoles) {
    auto view = service_.fill_access().NewStoreView(role);
    if (!view) return Fail(view.error());
    SB_RETURN_IF_ERROR((*view)->Begin());
    const auto names = (*view)->CollectionNames();
    (*view)->End();
    if (!names) return Fail(names.error());
    known->insert(known->end(), names->begin(), names->end());
  }
  for (const std::string& name : wanted) {
    if (std::find(known->begin(), known->end(), name) == known->end())
      return Fail(ErrorCode::kNotFound, "no store has a collection '" + name + "'");
  }
  return {};
}

Result<VerifyRecord> Verifier::NewRecord(VerifyOptions options, std::string actor) {
  auto last = LoadVerifyRecord(journal_);
  if (!last) return last;
  const auto may_resume = MayResume(*last, options);
  if (!may_resume) return Fail(may_resume.error());
  VerifyRecord record;
  if (*may_resume) {
    record = *std::move(last);
    SB_RETURN_IF_ERROR(
        findings_.RemoveAfter(record.progress.collection, record.progress.key, record.passes + 1));
    LogInfo("verify: goes on after {} records", record.progress.records);
  } else {
    SB_RETURN_IF_ERROR(findings_.Clear());
    record.started_at = FormatUtc(clock_.WallNow());
    record.epoch = service_.GetStatus().epoch;
  }
  const bool has_operation = *may_resume && record.state == "running";
  record.state = "running";
  record.options = std::move(options);
  record.actor = std::move(actor);
  record.ended_at.clear();
  record.error.clear();
  if (!has_operation) {
    const auto operation =
        journal_.BeginOperation("verify", record.actor, NamesOf(record.options.collections));
    if (!operation) return Fail(operation.error());
    record.operation = *operation;
  }
  return record;
}

// What was compared before a fill began says nothing about what it has filled.
Result<bool> Verifier::MayResume(const VerifyRecord& last, const VerifyOptions& options) {
  const bool is_unfinished =
      last.state == "running" || last.state == "cancelled" || last.state == "failed";
  if (!is_unfinished || options.is_fresh || options.collections != last.options.collections ||
      last.epoch != service_.GetStatus().epoch) {
    return false;
  }
  for (const char* kind : {"migration", "migration-rollback"}) {
    const auto newest = journal_.Operations(kind, 1);
    if (!newest) return Fail(newest.error());
    if (!newest->empty() && newest->front().started_at >= last.started_at) return false;
  }
  return true;
}

void Verifier::StartThread(VerifyRecord record) {
  if (thread_.joinable()) thread_.join();  // it has ended: is_running_ is false
  record_ = std::move(record);
  reached_ = record_.progress;
  records_total_ = record_.records_total;
  waiting_.clear();
  repair_refusal_.clear();
  busy_since_.reset();
  bytes_per_second_ = record_.options.bytes_per_second;
  records_rate_.Start(clock_.Now());
  bytes_rate_.Start(clock_.Now());
  stored_at_ = clock_.Now();
  status_ = StatusOf(record_);
  ending_ = Ending::kNo;
  is_running_ = true;
  thread_ = std::thread([this] { Run(); });
}

Status Verifier::Cancel() {
  MutexLock lock(mutex_);
  if (!is_running_) return Fail(ErrorCode::kNotFound, "no verify is running");
  Ending none = Ending::kNo;
  ending_.compare_exchange_strong(none, Ending::kCancel);
  wake_.NotifyAll();
  return {};
}

Status Verifier::SetRate(std::uint64_t bytes_per_second) {
  MutexLock lock(mutex_);
  if (!is_running_) return Fail(ErrorCode::kNotFound, "no verify is running");
  bytes_per_second_ = bytes_per_second;
  status_.options.bytes_per_second = bytes_per_second;
  wake_.NotifyAll();
  return {};
}

VerifyStatus Verifier::GetStatus() const {
  MutexLock lock(mutex_);
  return status_;
}

Result<std::vector<NamedDifference>> Verifier::Differences(std::string_view after_collection,
                                                           std::string_view after_key,
                                                           std::size_t count_max) {
  return findings_.List(after_collection, after_key, count_max);
}

void Verifier::Stop() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    ending_ = Ending::kStop;
    wake_.NotifyAll();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace switchback
