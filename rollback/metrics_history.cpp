#include "rollback/metrics_history.hpp"

#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "rollback/metrics_json.hpp"

namespace switchback {
namespace {

constexpr std::size_t kMarkCountMax = 7;  // a minute and the portion at hand
constexpr const char* kBaselineDocument = "baseline";

}  // namespace

RoleFigures FiguresOf(const OperationCounts& counts, double seconds) {
  RoleFigures figures;
  figures.operations = counts.latency.Count();
  figures.errors = counts.errors;
  const auto operations = static_cast<double>(figures.operations);
  figures.per_second = seconds > 0 ? operations / seconds : 0;
  figures.error_percent =
      figures.operations > 0 ? 100 * static_cast<double>(figures.errors) / operations : 0;
  const auto us = [&](double quantile) {
    return static_cast<double>(counts.latency.QuantileNs(quantile)) / 1e3;
  };
  figures.p50_us = us(0.5);
  figures.p95_us = us(0.95);
  figures.p99_us = us(0.99);
  figures.p999_us = us(0.999);
  return figures;
}

Degradation DegradationOf(const RoleFigures& legacy, const RoleFigures& unified) {
  Degradation degradation;
  degradation.error_points = unified.error_percent - legacy.error_percent;
  if (legacy.operations == 0 || unified.operations == 0) return degradation;
  degradation.p99_us = unified.p99_us - legacy.p99_us;
  if (legacy.p99_us > 0) degradation.p99_percent = 100 * degradation.p99_us / legacy.p99_us;
  return degradation;
}

MetricsHistory::MetricsHistory(DbService& service, Journal& journal, const Clock& clock)
    : service_(service), journal_(journal), clock_(clock), started_(clock.Now()) {
  marks_.push_back({started_, service.GetMetrics()});
  if (const auto stored = journal.Load(kBaselineDocument); stored && *stored)
    baseline_ = ParseBaseline(**stored);
}

MetricsPortion MetricsHistory::Between(const Mark& from, const Mark& to) const {
  MetricsPortion portion;
  portion.seconds = std::chrono::duration<double>(to.at - from.at).count();
  portion.at =
      clock_.WallNow() - std::chrono::duration_cast<WallTime::duration>(clock_.Now() - to.at);
  for (const Role role : kRoles) {
    for (std::size_t i = 0; i < kOperationCount; ++i) {
      OperationCounts counts = to.metrics.operations[Index(role)][i];
      const OperationCounts& before = from.metrics.operations[Index(role)][i];
      counts.latency -= before.latency;
      counts.errors -= before.errors;
      portion.figures[Index(role)][i] = FiguresOf(counts, portion.seconds);
    }
  }
  portion.effective_percentage = service_.GetStatus().routing.effective_percentage;
  return portion;
}

void MetricsHistory::Look() {
  const SteadyTime now = clock_.Now();
  MutexLock lock(mutex_);
  if (now - marks_.back().at < kPortion) return;
  Mark mark{now, service_.GetMetrics()};
  portions_.push_back(Between(marks_.back(), mark));
  if (portions_.size() > kPortionCountMax) portions_.pop_front();
  TakeBaseline(portions_.back());
  marks_.push_back(std::move(mark));
  if (marks_.size() > kMarkCountMax) marks_.pop_front();
}

// While no key goes to unified, the newest minute of legacy is what a rollout will be held against;
// from its first key on it stays as it is.
void MetricsHistory::TakeBaseline(const MetricsPortion& portion) {
  if (portion.effective_percentage > 0 ||
      portion.figures[Index(Role::kLegacy)][static_cast<std::size_t>(Operation::kGet)].operations ==
          0)
    return;
  const MetricsPortion minute = Between(marks_.front(), {clock_.Now(), service_.GetMetrics()});
  Baseline baseline;
  baseline.since = FormatUtc(minute.at);
  baseline.seconds = minute.seconds;
  baseline.legacy = minute.figures[Index(Role::kLegacy)];
  baseline_ = baseline;
  if (auto stored = journal_.Store(kBaselineDocument, BaselineJson(baseline).dump()); !stored)
    LogWarning("legacy's figures are not kept over a restart: {}", stored.error().message);
}

std::vector<MetricsPortion> MetricsHistory::Portions() const {
  MutexLock lock(mutex_);
  return {portions_.begin(), portions_.end()};
}

MetricsPortion MetricsHistory::OfLate() const {
  const Mark now{clock_.Now(), service_.GetMetrics()};
  MutexLock lock(mutex_);
  return Between(marks_.front(), now);
}

MetricsPortion MetricsHistory::SinceStart() const {
  return Between({started_, {}}, {clock_.Now(), service_.GetMetrics()});
}

std::optional<Baseline> MetricsHistory::baseline() const {
  MutexLock lock(mutex_);
  return baseline_;
}

}  // namespace switchback
