#include "rollback/guard/guard_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace switchback {
namespace {

constexpr std::chrono::seconds kWindow{10};
constexpr std::chrono::seconds kMemoryEvery{10};
constexpr std::chrono::minutes kMemoryWindow{60};
constexpr std::chrono::minutes kMemoryWindowMin{30};
constexpr double kToleratedMax = 0.2;    // however badly legacy does
constexpr std::uint64_t kAlikeMin = 20;  // operations of legacy that a comparison takes

// The upper end of Wilson's 97.5 % interval for a rate of `bad` in `count`.
double UpperBound(std::uint64_t bad, std::uint64_t count) {
  if (count == 0) return 0;
  constexpr double kZ = 1.96;
  const auto n = static_cast<double>(count);
  const double rate = static_cast<double>(bad) / n;
  const double middle = rate + kZ * kZ / (2 * n);
  const double spread = kZ * std::sqrt(rate * (1 - rate) / n + kZ * kZ / (4 * n * n));
  return (middle + spread) / (1 + kZ * kZ / n);
}

double Percent(std::uint64_t bad, std::uint64_t count) {
  return count == 0 ? 0 : 100.0 * static_cast<double>(bad) / static_cast<double>(count);
}

// Those that lie past `ns` whole.
std::uint64_t CountSlower(const HistogramSnapshot& reads, std::uint64_t ns) {
  std::uint64_t count = 0;
  for (std::size_t bucket = 1; bucket < HistogramSnapshot::kBucketCount; ++bucket) {
    if (HistogramSnapshot::UpperBoundNs(bucket - 1) >= ns) count += reads.counts[bucket];
  }
  return count;
}

std::string Describe(const GuardStreamStatus& status) {
  switch (status.stream) {
    case GuardStream::kErrors:
      return fmt::format(
          "{} of the last {} operations of unified failed ({:.1f} %; {:.2f} % are "
          "tolerated)",
          status.bad, status.count, Percent(status.bad, status.count),
          100 * status.rates.tolerated);
    case GuardStream::kSlowReads:
      return fmt::format(
          "{} of the last {} reads of unified took longer than {:.0f} us ({:.1f} %; "
          "{:.1f} % are tolerated)",
          status.bad, status.count, status.threshold_us.value_or(0),
          Percent(status.bad, status.count), 100 * status.rates.tolerated);
    case GuardStream::kSlowApplies:
      return fmt::format("unified is more than {:.1f} s behind the log, and stays so",
                         status.threshold_us.value_or(0) / 1e6);
    case GuardStream::kMismatches:
      return fmt::format("{} of the {} records compared of late differ between the stores",
                         status.bad_all, status.count_all);
  }
  return "";
}

}  // namespace

const char* GuardStreamName(GuardStream stream) {
  constexpr std::array<const char*, kGuardStreamCount> kNames{"errors", "slow_reads",
                                                              "slow_applies", "mismatches"};
  return kNames[Index(stream)];
}

const char* GuardSeverityName(GuardSeverity severity) {
  constexpr std::array<const char*, 3> kNames{"critical", "major", "minor"};
  return kNames[static_cast<std::size_t>(severity)];
}

GuardMachine::GuardMachine(const GuardSettings& settings)
    : settings_(settings), ramp_(settings.limit, 1), major_(settings), slow_reads_(settings) {
  for (const GuardStream stream : kGuardStreams) {
    const GuardStreamSettings& wanted = settings.Of(stream);
    Stream made{Cusum(settings.limit, wanted.ticks_min), {}, {}, 0, 0};
    made.status.stream = stream;
    made.status.limit = settings.limit;
    made.status.rates = wanted.rates;
    made.status.is_dry_run = settings.IsDryRun(stream);
    streams_.push_back(std::move(made));
  }
}

void GuardMachine::Reset() {
  for (Stream& stream : streams_) {
    stream.cusum.Reset();
    stream.count = stream.bad = 0;
    stream.status.sum = 0;
    stream.status.count = stream.status.bad = 0;
    stream.status.count_all = stream.status.bad_all = 0;
  }
  ramp_.Reset();
  major_.Reset();
  has_tripped_ = has_alerted_both_ = has_alerted_ramp_ = false;
  ramp_tripped_at_.reset();
}

std::vector<GuardStreamStatus> GuardMachine::Streams() const {
  std::vector<GuardStreamStatus> all;
  for (const Stream& stream : streams_) all.push_back(stream.status);
  return all;
}

GuardVerdict GuardMachine::Tick(const GuardSample& sample) {
  GuardVerdict verdict;
  slow_reads_.Add(sample.now, sample.of(Role::kLegacy).reads);
  if (last_) {
    Gather(sample);
    WatchCorruption(sample, verdict);
    for (Stream& stream : streams_) Step(stream, sample, verdict);
  }
  WatchRamp(sample, verdict);
  if (!has_tripped_) {
    for (GuardAlert& alert : major_.Look(sample)) verdict.alerts.push_back(std::move(alert));
  }
  WatchMemory(sample, verdict);
  last_ = sample;
  return verdict;
}

void GuardMachine::Gather(const GuardSample& sample) {
  GatherErrors(sample);
  GatherReads(sample);
  GatherApplies(sample);
  Stream& mismatches = Of(GuardStream::kMismatches);
  // A verify that begins anew counts from 0 again.
  if (sample.compared >= last_->compared && sample.mismatches >= last_->mismatches) {
    mismatches.count += sample.compared - last_->compared;
    mismatches.bad += sample.mismatches - last_->mismatches;
    mismatches.count = std::max(mismatches.count, mismatches.bad);
  }
}

void GuardMachine::GatherErrors(const GuardSample& sample) {
  if (seconds_.empty() || sample.now - seconds_.back().at >= std::chrono::seconds(1)) {
    Second second{sample.now, {}, {}};
    for (const Role role : kRoles) {
      second.operations[Index(role)] = sample.of(role).operations;
      second.errors[Index(role)] = sample.of(role).errors;
    }
    seconds_.push_back(second);
  }
  while (seconds_.size() > 1 && sample.now - seconds_[1].at >= kWindow) seconds_.pop_front();
  AdaptRates();
  const auto& now = sample.of(Role::kUnified);
  const auto& before = last_->of(Role::kUnified);
  const std::uint64_t overdue = CountOverdue(sample);
  const std::uint64_t count = now.operations - before.operations + overdue;
  const std::uint64_t bad = now.errors - before.errors + overdue;
  Stream& errors = Of(GuardStream::kErrors);
  errors.count += std::max(count, bad);
  errors.bad += bad;
  ramp_.Add(std::max(count, bad), bad, settings_.ramp_rates);
  is_idle_ = now.operations == seconds_.front().operations[Index(Role::kUnified)];
}

// A read that hangs completes nothing: it is counted once, when its deadline has passed.
std::uint64_t GuardMachine::CountOverdue(const GuardSample& sample) {
  std::set<SteadyTime> overdue;
  std::uint64_t count = 0;
  for (const SteadyTime begun : sample.of(Role::kUnified).under_way) {
    if (sample.now - begun < settings_.read_deadline) continue;
    if (!counted_overdue_.contains(begun)) ++count;
    overdue.insert(begun);
  }
  counted_overdue_ = std::move(overdue);
  return count;
}

void GuardMachine::AdaptRates() {
  const CusumRates& wanted = settings_.Of(GuardStream::kErrors).rates;
  const Second& first = seconds_.front();
  const Second& newest = seconds_.back();
  const std::size_t legacy = Index(Role::kLegacy);
  const std::uint64_t errors = newest.errors[legacy] - first.errors[legacy];
  CusumRates& rates = Of(GuardStream::kErrors).status.rates;
  rates = wanted;
  if (errors == 0) return;
  const double bound = UpperBound(errors, newest.operations[legacy] - first.operations[legacy]);
  rates.tolerated = std::clamp(1.5 * bound, wanted.tolerated, kToleratedMax);
  rates.caught = std::max(wanted.caught, 2 * rates.tolerated);
}

bool GuardMachine::BothFail() const {
  const Second& first = seconds_.front();
  const auto rate = [&](Role role) {
    const auto count = last_->of(role).operations - first.operations[Index(role)];
    const auto errors = last_->of(role).errors - first.errors[Index(role)];
    return count == 0 ? 0.0 : static_cast<double>(errors) / static_cast<double>(count);
  };
  const bool has_legacy =
      last_->of(Role::kLegacy).operations - first.operations[Index(Role::kLegacy)] >= kAlikeMin;
  return has_legacy && rate(Role::kLegacy) > 0 && rate(Role::kLegacy) >= rate(Role::kUnified) / 2;
}

void GuardMachine::GatherReads(const GuardSample& sample) {
  HistogramSnapshot reads = sample.of(Role::kUnified).reads;
  reads -= last_->of(Role::kUnified).reads;
  Stream& slow = Of(GuardStream::kSlowReads);
  const std::uint64_t threshold_ns = slow_reads_.ns();
  slow.status.threshold_us = static_cast<double>(threshold_ns) / 1e3;
  slow.count += reads.Count();
  slow.bad += CountSlower(reads, threshold_ns);
}

void GuardMachine::GatherApplies(const GuardSample& sample) {
  const auto& unified = sample.of(Role::kUnified);
  const auto& legacy = sample.of(Role::kLegacy);
  const auto wanted = legacy.is_in_sync ? std::chrono::duration_cast<std::chrono::milliseconds>(
                                              settings_.slow_apply_factor * legacy.lag)
                                        : std::chrono::milliseconds(0);
  const auto threshold =
      std::clamp(wanted, settings_.slow_apply_floor,
                 std::max(settings_.slow_apply_floor, settings_.slow_apply_ceiling));
  Stream& slow = Of(GuardStream::kSlowApplies);
  slow.status.threshold_us = static_cast<double>(std::chrono::microseconds(threshold).count());
  if (!unified.is_in_sync) return;
  ++slow.count;
  if (unified.batches_behind > 0 && unified.lag > threshold) ++slow.bad;
}

void GuardMachine::Step(Stream& stream, const GuardSample& sample, GuardVerdict& verdict) {
  if (sample.now < stream.due_at) return;
  GuardStreamStatus& status = stream.status;
  stream.due_at = sample.now + settings_.Of(status.stream).tick;
  if (stream.count > 0) {
    status.count = stream.count;
    status.bad = stream.bad;
    status.count_all += stream.count;
    status.bad_all += stream.bad;
  }
  stream.cusum.Add(stream.count, stream.bad, status.rates);
  stream.count = stream.bad = 0;
  status.sum = stream.cusum.sum();
  if (!stream.cusum.has_tripped() || verdict.trip || has_tripped_) return;
  if (status.stream == GuardStream::kErrors && BothFail()) {
    if (!std::exchange(has_alerted_both_, true))
      verdict.alerts.push_back(
          {GuardSeverity::kMajor, "both-fail",
           "both stores fail alike, so going back to legacy would not help: " + Describe(status),
           false});
    return;
  }
  verdict.trip = GuardTrip{status, GuardSeverity::kCritical, Describe(status), status.is_dry_run};
  if (!status.is_dry_run) {
    has_tripped_ = true;
    return;
  }
  ++status.dry_trips;
  stream.cusum.Reset();
}

void GuardMachine::WatchCorruption(const GuardSample& sample, GuardVerdict& verdict) {
  const bool is_new = sample.of(Role::kUnified).corruptions > last_->of(Role::kUnified).corruptions;
  if (!is_new || has_tripped_) return;
  Stream& errors = Of(GuardStream::kErrors);
  verdict.trip = GuardTrip{errors.status, GuardSeverity::kCritical,
                           "unified says that its file is damaged", errors.status.is_dry_run};
  if (errors.status.is_dry_run) {
    ++errors.status.dry_trips;
  } else {
    has_tripped_ = true;
  }
}

// Too few for long enough: what trips does so within seconds.
void GuardMachine::WatchRamp(const GuardSample& sample, GuardVerdict& verdict) {
  if (!ramp_.has_tripped()) {
    ramp_tripped_at_.reset();
    if (ramp_.sum() == 0) has_alerted_ramp_ = false;
    return;
  }
  if (!ramp_tripped_at_) ramp_tripped_at_ = sample.now;
  const bool is_worse = has_tripped_ || has_alerted_both_;
  if (is_worse || has_alerted_ramp_ || sample.now - *ramp_tripped_at_ < kWindow) return;
  has_alerted_ramp_ = true;
  verdict.alerts.push_back(
      {GuardSeverity::kMinor, "few-errors",
       fmt::format("unified has more errors than a rollout may go on with ({:.3f} %), and fewer "
                   "than it takes to go back",
                   100 * settings_.ramp_rates.tolerated),
       false});
}

// Growth that shows no end: over an hour, or what there is of it, each quarter's least is more than
// the one's before.
void GuardMachine::WatchMemory(const GuardSample& sample, GuardVerdict& verdict) {
  if (sample.memory_bytes == 0) return;
  if (!memory_.empty() && sample.now - memory_.back().first < kMemoryEvery) return;
  memory_.emplace_back(sample.now, sample.memory_bytes);
  while (sample.now - memory_.front().first > kMemoryWindow) memory_.pop_front();
  if (sample.now - memory_.front().first < kMemoryWindowMin) return;
  std::array<std::uint64_t, 4> least{};
  least.fill(UINT64_MAX);
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    auto& quarter = least[i * least.size() / memory_.size()];
    quarter = std::min(quarter, memory_[i].second);
  }
  const bool grows =
      std::adjacent_find(least.begin(), least.end(), std::greater_equal<>()) == least.end() &&
      least.back() - least.front() >= settings_.memory_growth_bytes;
  if (!grows) {
    has_alerted_memory_ = false;
    return;
  }
  if (std::exchange(has_alerted_memory_, true)) return;
  verdict.alerts.push_back(
      {GuardSeverity::kMajor, "memory",
       fmt::format(
           "memory has grown by {} MiB within {} minutes and shows no end",
           (least.back() - least.front()) >> 20,
           std::chrono::duration_cast<std::chrono::minutes>(sample.now - memory_.front().first)
               .count()),
       true});
}

}  // namespace switchback
