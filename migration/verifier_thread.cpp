// The verifier's thread: passes, windows, waiting, and what is written down of them.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/log.hpp"
#include "migration/repair.hpp"
#include "migration/verifier.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kBusyDrainMax{200};
constexpr std::chrono::milliseconds kBusyPause{20};
constexpr std::chrono::milliseconds kThrottleSlice{50};
// Windows a second at a limited rate: small steps, so that the load is even.
constexpr std::uint64_t kThrottledWindowsPerSecond = 4;
constexpr std::size_t kRepairPageCount = 256;
constexpr std::chrono::milliseconds kContinuousPause{
    100};  // between passes: empty stores end at once
constexpr double kPercentMaxBeforeEnd = 99.9;

bool IsPassing(ErrorCode code) {
  return code == ErrorCode::kBusy || code == ErrorCode::kUnavailable;
}

}  // namespace

void Verifier::Run() {
  while (true) {
    const Status outcome = RunPass();
    EndPass(outcome);
    if (!outcome || !record_.options.is_continuous) return;
    Wait(kContinuousPause);
    record_.BeginPass();
    reached_ = {};
    Publish();
  }
}

Status Verifier::RunPass() {
  SB_RETURN_IF_ERROR(CompareAll());
  SB_RETURN_IF_ERROR(findings_.RemoveBefore(record_.passes + 1));
  if (record_.options.repair_from) SB_RETURN_IF_ERROR(Repair());
  return {};
}

Status Verifier::CompareAll() {
  ComparisonOptions options = options_.comparison;
  options.collections = record_.options.collections;
  // Whoever asks for a verify wants to know of what is written, not of what a store has got by now.
  options.sequence_min = service_.GetStatus().last_sequence;
  Comparison comparison(service_.fill_access(), clock_, std::move(options), record_.progress);
  for (bool is_last = false; !is_last;) {
    SB_RETURN_IF_ERROR(CheckEnding());
    const auto window = comparison.Next(Budget());
    if (!window) {
      SB_RETURN_IF_ERROR(WaitOut(window.error()));
      continue;
    }
    busy_since_.reset();
    waiting_.clear();
    SB_RETURN_IF_ERROR(AddWindow(comparison, *window));
    is_last = window->is_last;
  }
  return {};
}

Status Verifier::AddWindow(const Comparison& comparison, const Window& window) {
  SB_RETURN_IF_ERROR(AddDifferences(window.differences));
  if (record_.sequence_first == 0) record_.sequence_first = window.sequence;
  record_.sequence = window.sequence;
  record_.progress = comparison.settled();
  record_.records_total = records_total_ = comparison.records_total();
  const std::uint64_t records = comparison.reached().records - reached_.records;
  records_since_start_ += records;
  bytes_since_start_ += window.bytes;
  differences_since_start_ += window.differences.size();
  reached_ = comparison.reached();
  Publish();
  if (window.is_last || clock_.Now() - stored_at_ >= options_.store_interval)
    SB_RETURN_IF_ERROR(StoreRecord());
  if (!window.is_last) Throttle(window.bytes);
  records_rate_.Add(records, clock_.Now());  // the pause belongs to the pace
  bytes_rate_.Add(window.bytes, clock_.Now());
  return {};
}

// Named first, counted after: a crash in between names them again, and counts them once.
Status Verifier::AddDifferences(const std::vector<Difference>& differences) {
  const std::uint64_t named = record_.found() - record_.unnamed;
  const std::uint64_t room = options_.named_count_max - std::min(named, options_.named_count_max);
  const std::size_t named_now = std::min<std::size_t>(differences.size(), room);
  SB_RETURN_IF_ERROR(findings_.Add(std::span(differences).first(named_now), record_.passes + 1));
  record_.unnamed += differences.size() - named_now;
  for (const Difference& difference : differences) {
    switch (difference.kind()) {
      case DifferenceKind::kMissing: ++record_.missing; break;
      case DifferenceKind::kExtra: ++record_.extra; break;
      case DifferenceKind::kDiffers: ++record_.differs; break;
    }
  }
  return {};
}

Status Verifier::Repair() {
  std::string collection, key;
  while (true) {
    const auto page = findings_.List(collection, key, kRepairPageCount);
    if (!page) return Fail(page.error());
    if (page->empty()) return {};
    std::vector<RecordName> records;
    for (const NamedDifference& found : *page) records.push_back({found.collection, found.key});
    SB_RETURN_IF_ERROR(CheckEnding());
    SB_RETURN_IF_ERROR(RepairPage(records));
    collection = page->back().collection;
    key = page->back().key;
  }
}

// What is still different afterwards stays in the list.
Status Verifier::RepairPage(std::span<const RecordName> records) {
  const auto repaired = RepairRecords(service_, *record_.options.repair_from, records);
  if (!repaired) return Fail(WithContext(repaired.error(), "repair"));
  if (repaired->refused > 0) repair_refusal_ = repaired->refusal;
  const auto standing = RecheckWhenPossible(records, repaired->sequence);
  if (!standing) return Fail(standing.error());
  std::vector<RecordName> equal;
  auto stands = standing->begin();
  for (const RecordName& record : records) {  // both are in the same order
    const bool is_standing = stands != standing->end() && stands->key == record.key &&
                             stands->collection == record.collection;
    if (is_standing) {
      ++stands;
    } else {
      equal.push_back(record);
    }
  }
  SB_CHECK(stands == standing->end(), "what was read again is some of what was repaired");
  SB_RETURN_IF_ERROR(findings_.Remove(equal));
  record_.repaired += equal.size();
  record_.sequence = std::max(record_.sequence, repaired->sequence);
  SB_RETURN_IF_ERROR(StoreRecord());
  Publish();
  return {};
}

Result<std::vector<Difference>> Verifier::RecheckWhenPossible(std::span<const RecordName> records,
                                                              std::uint64_t sequence_min) {
  Comparison comparison(service_.fill_access(), clock_, options_.comparison);
  while (true) {
    auto standing = comparison.Recheck(records, sequence_min);
    if (standing) {
      busy_since_.reset();
      waiting_.clear();
      return standing;
    }
    SB_RETURN_IF_ERROR(CheckEnding());
    SB_RETURN_IF_ERROR(WaitOut(standing.error()));
  }
}

// --- Ends ---

void Verifier::EndPass(const Status& outcome) {
  const Ending ending = ending_;
  if (outcome) {
    record_.passes += 1;
    passes_since_start_ += 1;
    record_.last_pass = record_.left() == 0 ? "clean" : "differences";
    record_.state = record_.options.is_continuous ? "running" : record_.last_pass;
    record_.error = repair_refusal_;
  } else if (outcome.error().code == ErrorCode::kCancelled && ending != Ending::kNo) {
    record_.state = ending == Ending::kCancel ? "cancelled" : "running";  // for the next process
  } else {
    record_.state = "failed";
    record_.error = outcome.error().message;
    // Stores that cannot be compared have changed under what is compared already.
    if (outcome.error().code == ErrorCode::kRefused) record_.BeginPass();
  }
  if (record_.state != "running") {
    record_.ended_at = FormatUtc(clock_.WallNow());
    EndOperation(outcome ? "done" : record_.state);
  }
  if (auto stored = StoreRecord(); !stored) LogError("verify: {}", stored.error().message);
  waiting_.clear();
  Publish(!outcome || !record_.options.is_continuous);
  if (ending != Ending::kStop && on_end_) on_end_(StatusOf(record_));
}

void Verifier::EndOperation(const std::string& status) {
  const nlohmann::json detail = {{"result", record_.state},      {"records", reached_.records},
                                 {"missing", record_.missing},   {"extra", record_.extra},
                                 {"differs", record_.differs},   {"repaired", record_.repaired},
                                 {"sequence", record_.sequence}, {"error", record_.error}};
  const Status ended =
      journal_.EndOperation(record_.operation, status,
                            detail.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (!ended) LogError("verify: {}", ended.error().message);
  LogInfo("verify: {}: {} records compared, {} missing, {} extra, {} differ, {} repaired{}{}",
          record_.state, reached_.records, record_.missing, record_.extra, record_.differs,
          record_.repaired, record_.error.empty() ? "" : ": ", record_.error);
}

Status Verifier::StoreRecord() {
  record_.options.bytes_per_second = bytes_per_second_;
  stored_at_ = clock_.Now();
  return StoreVerifyRecord(journal_, record_);
}

// --- Waiting ---

Status Verifier::CheckEnding() const {
  if (ending_ == Ending::kNo) return {};
  return Fail(ErrorCode::kCancelled, "verify: cancelled");
}

Status Verifier::WaitOut(const Error& error) {
  SB_RETURN_IF_ERROR(CheckFit({}));
  if (!IsPassing(error.code)) return Fail(error);
  const SteadyTime now = clock_.Now();
  if (!busy_since_) busy_since_ = now;
  if (!record_.options.is_continuous && now - *busy_since_ >= options_.busy_max) return Fail(error);
  waiting_ = error.message;
  Publish();
  // Makes the followers apply what they gather; how far they get is seen in the next window.
  static_cast<void>(service_.Drain(kBusyDrainMax));
  Wait(kBusyPause);
  return {};
}

void Verifier::Wait(std::chrono::milliseconds time) {
  const SteadyTime until = std::chrono::steady_clock::now() + time;
  MutexLock lock(mutex_);
  while (ending_ == Ending::kNo && wake_.WaitUntil(mutex_, until)) {
  }
}

WindowBudget Verifier::Budget() const {
  WindowBudget budget = options_.window;
  const std::uint64_t rate = bytes_per_second_;
  if (rate > 0)
    budget.bytes_max =
        std::min(budget.bytes_max, std::max<std::uint64_t>(1, rate / kThrottledWindowsPerSecond));
  return budget;
}

// Waits as long as the bytes are worth at the rate, which may change meanwhile.
void Verifier::Throttle(std::uint64_t bytes) {
  double owed = static_cast<double>(bytes);
  SteadyTime last = clock_.Now();
  while (owed > 0 && bytes_per_second_ > 0 && CheckEnding()) {
    const double rate = static_cast<double>(bytes_per_second_);
    const double milliseconds = std::max(1.0, owed * 1000.0 / rate);
    Wait(milliseconds < static_cast<double>(kThrottleSlice.count())
             ? std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds))
             : kThrottleSlice);
    const SteadyTime now = clock_.Now();
    owed -= rate * std::chrono::duration<double>(now - last).count();
    last = now;
  }
}

// --- Status ---

// `is_end`: whoever reads the status may begin the next verify at once.
void Verifier::Publish(bool is_end) {
  VerifyStatus status = StatusOf(record_);
  MutexLock lock(mutex_);
  if (is_end) is_running_ = false;
  if (status.state == "running" && ending_ == Ending::kStop) status.state = "interrupted";
  status_ = std::move(status);
}

VerifyStatus Verifier::StatusOf(const VerifyRecord& record) const {
  VerifyStatus status;
  status.state = record.state;
  status.options = record.options;
  if (record.state == "running") status.options.bytes_per_second = bytes_per_second_;
  status.actor = record.actor;
  status.started_at = record.started_at;
  status.ended_at = record.ended_at;
  status.error = record.error;
  status.waiting = waiting_;
  status.passes = record.passes;
  status.last_pass = record.last_pass;
  status.records_compared = reached_.records;
  status.records_total = std::max(records_total_, reached_.records);
  status.bytes_compared = reached_.bytes;
  status.current_collection = reached_.collection;
  status.missing = record.missing;
  status.extra = record.extra;
  status.differs = record.differs;
  status.unnamed = record.unnamed;
  status.repaired = record.repaired;
  status.sequence_first = record.sequence_first;
  status.sequence = record.sequence;
  status.records_since_start = records_since_start_;
  status.bytes_since_start = bytes_since_start_;
  status.differences_since_start = differences_since_start_;
  status.passes_since_start = passes_since_start_;
  const bool is_over = record.state == "clean" || record.state == "differences";
  if (is_over) {
    status.percent = 100.0;
  } else if (status.records_total > 0) {
    status.percent =
        std::min(kPercentMaxBeforeEnd, 100.0 * static_cast<double>(status.records_compared) /
                                           static_cast<double>(status.records_total));
  }
  if (record.state != "running") return status;
  status.records_per_second = records_rate_.per_second();
  status.bytes_per_second = bytes_rate_.per_second();
  if (status.records_per_second > 0) {
    status.eta_seconds = static_cast<double>(status.records_total - status.records_compared) /
                         status.records_per_second;
  }
  return status;
}

}  // namespace switchback
