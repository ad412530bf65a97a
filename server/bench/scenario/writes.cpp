// Durable updates of uniformly chosen records by 16 writers at once, three ways: through the
// service, straight to both engines, and the bare appending to a log that no store can beat.
#include <fmt/core.h>

#include "server/bench/async_writers.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/log_probe.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/summary.hpp"
#include "server/bench/target_set.hpp"

namespace switchback::bench {
namespace {

constexpr double kLatencyGoal = 2;
constexpr double kThroughputGoal = 8;
// What a log record adds to each key and value, roughly.
constexpr std::size_t kOverheadBytes = 16;

struct Round {
  HistogramSnapshot sync;
  RunResult blocking;
  RunResult async;
  RunResult paired;
};

class WritesScenario {
 public:
  WritesScenario(const ScenarioOptions& options, TargetSet& targets, LogProbe probe)
      : options_(options),
        duration_(options.DurationOr(std::chrono::seconds(3), std::chrono::milliseconds(500))),
        warmup_(duration_ / 5),
        targets_(targets),
        probe_(std::move(probe)) {}

  Result<Round> RunRound(unsigned number, Progress& progress) {
    const auto say = [&](const char* what) {
      return progress.Say(fmt::format("writes, round {}: {}", number, what));
    };
    Round round;
    SB_RETURN_IF_ERROR(say("log append and fdatasync"));
    const std::size_t batch_bytes =
        options_.writers * (kKeyBytes + options_.value_bytes + kOverheadBytes);
    auto sync = probe_.Run(batch_bytes, duration_ / 3);
    if (!sync) return Fail(sync.error());
    round.sync = *sync;

    SB_RETURN_IF_ERROR(say("16 threads, each waiting for its write"));
    auto blocking = RunOn("legacy", number);
    if (!blocking) return Fail(blocking.error());
    round.blocking = std::move(*blocking);

    SB_RETURN_IF_ERROR(say("16 writes under way from one thread"));
    AsyncPlan plan{options_.writers, options_.record_count, options_.value_bytes, 0,
                   options_.seed + number};
    round.async = RunAsyncWrites(*targets_.host(), plan, warmup_, duration_);
    SB_RETURN_IF_ERROR(targets_.host()->Settle());

    SB_RETURN_IF_ERROR(say("each record committed to LMDB, then to SQLite"));
    auto paired = RunOn("lmdb+sqlite", number);
    if (!paired) return Fail(paired.error());
    round.paired = std::move(*paired);
    return round;
  }

 private:
  Result<RunResult> RunOn(const std::string& name, unsigned round) {
    LoadPlan plan;
    plan.workload = FindWorkload('W');
    plan.distribution = Distribution::kUniform;
    plan.value_bytes = options_.value_bytes;
    plan.threads = options_.writers;
    plan.seed = options_.seed + round;
    Target& target = targets_.Find(name);
    auto result = RunLoad(target, plan, warmup_, duration_);
    if (!result) return Fail(result.error());
    SB_RETURN_IF_ERROR(target.Settle());
    return result;
  }

  const ScenarioOptions& options_;
  const Duration duration_;
  const Duration warmup_;
  TargetSet& targets_;
  LogProbe probe_;
};

template <class Measure>
double MedianOf(const std::vector<Round>& rounds, const Measure& measure) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(measure(round));
  return Median(std::move(values));
}

double SyncUs(const Round& round) {
  return static_cast<double>(round.sync.QuantileNs(0.5)) / 1e3;
}

void AddServiceFigures(const std::string& name, RunResult Round::*run,
                       const std::vector<Round>& rounds, Report& report) {
  const auto add = [&](const std::string& what, const auto& measure, const char* unit,
                       std::optional<double> goal, bool is_minimum) {
    report.figures.push_back(
        {name + ": " + what, MedianOf(rounds, measure), unit, goal, is_minimum, ""});
  };
  const auto rate = [run](const Round& round) { return (round.*run).OperationsPerSecond(); };
  add("writes", rate, "writes/s", {}, true);
  add(
      "p50", [run](const Round& round) { return (round.*run).QuantileUs(0.5); }, "us", {}, true);
  add(
      "p99", [run](const Round& round) { return (round.*run).QuantileUs(0.99); }, "us", {}, true);
  add(
      "failed", [run](const Round& round) { return static_cast<double>((round.*run).errors); },
      "writes", 0, false);
  add(
      "p50 over fdatasync of an append",
      [run](const Round& round) { return (round.*run).QuantileUs(0.5) / SyncUs(round); }, "x",
      kLatencyGoal, false);
  add(
      "throughput over LMDB, then SQLite",
      [&](const Round& round) { return rate(round) / round.paired.OperationsPerSecond(); }, "x",
      kThroughputGoal, true);
}

}  // namespace

Status RunWrites(const ScenarioOptions& options, Report& report, Progress& progress) {
  auto targets = TargetSet::Open(options.StoresFor("legacy,lmdb+sqlite"), progress);
  if (!targets) return Fail(targets.error());
  auto probe = LogProbe::Create(options.data_directory + "/probe.log");
  if (!probe) return Fail(probe.error());

  WritesScenario scenario(options, **targets, std::move(*probe));
  std::vector<Round> rounds;
  for (unsigned number = 1; number <= options.RoundsOr(5, 2); ++number) {
    auto round = scenario.RunRound(number, progress);
    if (!round) return Fail(round.error());
    rounds.push_back(std::move(*round));
  }
  report.figures.push_back({"fdatasync of a log append of 16 records, p50",
                            MedianOf(rounds, SyncUs),
                            "us",
                            {},
                            true,
                            ""});
  report.figures.push_back(
      {"LMDB, then SQLite, a commit each",
       MedianOf(rounds, [](const Round& round) { return round.paired.OperationsPerSecond(); }),
       "writes/s",
       {},
       true,
       ""});
  AddServiceFigures("16 threads", &Round::blocking, rounds, report);
  AddServiceFigures("16 under way, one thread", &Round::async, rounds, report);
  return {};
}

}  // namespace switchback::bench
