#include "rollback/guard/guard.hpp"

#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "rollback/guard/guard_json.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::seconds kMemoryEvery{10};
constexpr std::size_t kAlertCountMax = 50;

GuardSample::OfRole SampleRole(Role role, const MetricsSnapshot& metrics,
                               const FollowerStatus& follower, std::uint64_t corruptions) {
  GuardSample::OfRole sample;
  for (std::size_t i = 0; i < kOperationCount; ++i) {
    const OperationCounts& counts = metrics.Of(role, static_cast<Operation>(i));
    sample.operations += counts.latency.Count();
    sample.errors += counts.errors;
  }
  // An error that comes before its operation is counted must not look like a negative success.
  sample.operations = std::max(sample.operations, sample.errors);
  sample.corruptions = corruptions;
  sample.reads = metrics.Of(role, Operation::kGet).latency;
  sample.reads += metrics.Of(role, Operation::kMultiGet).latency;
  sample.under_way = metrics.reads_under_way[Index(role)];
  sample.is_in_sync = follower.state == FollowerState::kInSync;
  sample.lag = follower.lag;
  sample.batches_behind = follower.lag_batches;
  return sample;
}

}  // namespace

Guard::Guard(DbService& service, Latch& latch, const Clock& clock, GuardSettings settings,
             GuardHooks hooks)
    : service_(service),
      latch_(latch),
      clock_(clock),
      settings_(settings),
      hooks_(std::move(hooks)),
      machine_(settings) {}

void Guard::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Guard::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Guard::Run() {
  auto next = std::chrono::steady_clock::now();
  while (true) {
    Look();
    next = std::max(next + kTick, std::chrono::steady_clock::now());
    MutexLock lock(mutex_);
    while (!is_stopping_ && wake_.WaitUntil(mutex_, next)) {
    }
    if (is_stopping_) return;
  }
}

void Guard::Look() {
  if (hooks_.on_look) hooks_.on_look();
  if (!settings_.is_enabled) return;
  MutexLock lock(mutex_);
  ActIfDue();
  if (waiting_) {
    const GuardTrip trip = *waiting_;
    GoBack(trip);
  }
  Act(machine_.Tick(Sample()));
}

GuardSample Guard::Sample() {
  const MetricsSnapshot metrics = service_.GetMetrics();
  const ServiceStatus status = service_.GetStatus();
  GuardSample sample;
  sample.now = clock_.Now();
  for (const Role role : kRoles)
    sample.roles[Index(role)] = SampleRole(role, metrics, status.followers[Index(role)],
                                           service_.recent_errors().CorruptionCount(role));
  sample.effective_percentage = status.routing.effective_percentage;
  // A verify that begins anew counts from 0 again.
  const auto verified = hooks_.verified ? hooks_.verified() : GuardHooks::Compared{};
  if (verified.records >= verified_before_.records &&
      verified.differences >= verified_before_.differences) {
    compared_ += verified.records - verified_before_.records;
    mismatches_ += verified.differences - verified_before_.differences;
  } else {
    compared_ += verified.records;
    mismatches_ += verified.differences;
  }
  verified_before_ = verified;
  sample.compared = compared_ + status.shadow_reads.checked;
  sample.mismatches = mismatches_ + status.shadow_reads.mismatches;
  if (hooks_.memory_bytes && sample.now - memory_at_ >= kMemoryEvery) {
    memory_at_ = sample.now;
    memory_bytes_ = hooks_.memory_bytes();
  }
  sample.memory_bytes = memory_bytes_;
  return sample;
}

void Guard::Act(const GuardVerdict& verdict) {
  for (const GuardAlert& alert : verdict.alerts) Alert(alert);
  if (!verdict.trip) return;
  const GuardTrip& trip = *verdict.trip;
  if (trip.is_dry_run) {
    ++dry_trips_;
    LogWarning("guard, dry run: it would have gone back to legacy: {}", trip.reason);
    if (hooks_.on_trip) hooks_.on_trip(trip, std::nullopt);
    return;
  }
  // Nothing goes to unified: there is nothing to go back from, and a store that fails while it is
  // being tried out has to be seen, not latched.
  if (!GoesToUnified()) {
    LogWarning("guard: {}; no key goes to unified, so nothing is changed", trip.reason);
    machine_.Reset();
    return;
  }
  Escalate(trip);
}

bool Guard::GoesToUnified() const {
  return service_.flags().Current()->may_go_to_unified();
}

void Guard::Escalate(const GuardTrip& trip) {
  switch (settings_.escalation) {
    case GuardEscalation::kAutomatic:
      ++trips_;
      proposal_.reset();
      GoBack(trip);
      return;
    case GuardEscalation::kAssisted: Propose(trip, std::nullopt); return;
    case GuardEscalation::kManual:
      Alert({GuardSeverity::kCritical, "manual",
             trip.reason + "; nothing is changed, since \"escalation\" is manual: `switchback "
                           "rollback now` goes back to legacy",
             false});
      machine_.Reset();
      return;
  }
}

void Guard::Propose(const GuardTrip& trip, std::optional<SteadyTime> acts_at) {
  if (proposal_ && (proposal_->trip.severity == GuardSeverity::kCritical ||
                    trip.severity != GuardSeverity::kCritical))
    return;
  proposal_ = GuardProposal{++proposals_, trip, clock_.WallNow(), acts_at};
  LogWarning("guard: going back to legacy is proposed ({}): {}", proposal_->id, trip.reason);
  if (hooks_.on_proposal) hooks_.on_proposal(*proposal_);
}

void Guard::ActIfDue() {
  if (!proposal_ || !proposal_->acts_at || clock_.Now() < *proposal_->acts_at) return;
  const GuardTrip trip = proposal_->trip;
  proposal_.reset();
  if (!GoesToUnified()) return;
  ++trips_;
  GoBack(trip);
}

Status Guard::CheckProposed(std::uint64_t proposal) const {
  if (!proposal_) return Fail(ErrorCode::kNotFound, "the guard proposes nothing");
  if (proposal_->id == proposal) return {};
  return Fail(ErrorCode::kNotFound, "what the guard proposes is number " +
                                        std::to_string(proposal_->id) + ", not " +
                                        std::to_string(proposal));
}

Status Guard::Confirm(std::uint64_t proposal) {
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(CheckProposed(proposal));
  const GuardTrip trip = proposal_->trip;
  proposal_.reset();
  ++trips_;
  GoBack(trip);
  if (waiting_)
    return Fail(ErrorCode::kRefused,
                "legacy is not in sync: it is gone back to as soon as it is. Until then wait, or "
                "`switchback restore`");
  return {};
}

Status Guard::Dismiss(std::uint64_t proposal) {
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(CheckProposed(proposal));
  proposal_.reset();
  machine_.Reset();
  return {};
}

void Guard::GoBack(const GuardTrip& trip) {
  const FollowerStatus legacy = service_.GetStatus().followers[Index(Role::kLegacy)];
  if (legacy.state != FollowerState::kInSync) {
    if (!waiting_)
      Alert({GuardSeverity::kCritical, "legacy-not-in-sync",
             trip.reason + "; legacy is " + FollowerStateName(legacy.state) +
                 ", so nothing is changed until it is in sync: wait, or `switchback restore`",
             false});
    waiting_ = trip;
    return;
  }
  waiting_.reset();
  const auto latched =
      latch_.Engage(kLatchByGuard, trip.reason, GuardStreamJson(trip.stream).dump());
  if (!latched)
    Alert({GuardSeverity::kCritical, "latch",
           "the guard has gone back to legacy, and a restart would forget it: " +
               latched.error().message,
           false});
  if (hooks_.on_trip)
    hooks_.on_trip(trip, latched ? std::optional<Latched>(*latched) : latch_.Current());
}

void Guard::Alert(const GuardAlert& alert) {
  LogWarning("guard: {} ({}): {}", GuardSeverityName(alert.severity), alert.name, alert.text);
  alerts_.push_back(alert);
  if (alerts_.size() > kAlertCountMax) alerts_.erase(alerts_.begin());
  if (hooks_.on_alert) hooks_.on_alert(alert);
  const bool may_act = settings_.escalation != GuardEscalation::kManual && !settings_.is_dry_run;
  if (!alert.wants_rollback || !may_act || latch_.Current() || !GoesToUnified()) return;
  GuardTrip trip;
  trip.severity = alert.severity;
  trip.reason = alert.text;
  const bool is_automatic = settings_.escalation == GuardEscalation::kAutomatic;
  Propose(trip,
          is_automatic ? std::optional(clock_.Now() + settings_.acknowledge_within) : std::nullopt);
}

Status Guard::Rearm(std::uint64_t trip) {
  MutexLock lock(mutex_);
  SB_RETURN_IF_ERROR(latch_.Release(trip));
  waiting_.reset();
  proposal_.reset();
  machine_.Reset();
  return {};
}

GuardStatus Guard::GetStatus() const {
  GuardStatus status;
  status.latched = latch_.Current();
  status.is_dry_run = settings_.is_dry_run;
  MutexLock lock(mutex_);
  status.state = status.latched          ? "tripped"
                 : !settings_.is_enabled ? "off"
                 : waiting_              ? "waiting"
                 : proposal_             ? "proposed"
                                         : "watching";
  status.escalation = settings_.escalation;
  status.proposal = proposal_;
  if (proposal_ && proposal_->acts_at)
    status.acts_in = std::chrono::duration_cast<std::chrono::seconds>(
        std::max(SteadyTime::duration::zero(), *proposal_->acts_at - clock_.Now()));
  status.streams = machine_.Streams();
  status.ramp_sum = machine_.ramp_sum();
  status.holds_ramp = machine_.HoldsRamp();
  status.alerts = alerts_;
  status.trips = trips_;
  status.dry_trips = dry_trips_;
  return status;
}

}  // namespace switchback
