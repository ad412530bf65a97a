// Writes at full speed until the memtable is at its budget and stays there: then what is
// acknowledged is what the stores really take. After it, half of that rate, where the tail shows
// how well the followers' work is kept out of the log's way.
#include <fmt/core.h>

#include <algorithm>

#include "server/bench/async_writers.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/target_set.hpp"

namespace switchback::bench {
namespace {

constexpr unsigned kBareBatch = 64;
constexpr unsigned kPacedWritersMax = 65'536;  // under way at once before a paced load falls behind
constexpr double kRateGoal = 2;
constexpr double kPacedP99GoalUs = 10'000;

Result<double> BareRate(Target& target, const ScenarioOptions& options, Duration duration) {
  LoadPlan plan;
  plan.workload = FindWorkload('W');
  plan.distribution = Distribution::kUniform;
  plan.value_bytes = options.value_bytes;
  plan.threads = 1;
  plan.batch = kBareBatch;
  plan.seed = options.seed;
  auto result = RunLoad(target, plan, duration / 10, duration);
  if (!result) return Fail(result.error());
  SB_RETURN_IF_ERROR(target.Settle());
  return result->OperationsPerSecond();
}

void AddRun(const std::string& name, const RunResult& run, Report& report) {
  for (const auto& [label, quantile] :
       {std::pair("p50", 0.5), std::pair("p99", 0.99), std::pair("p99.9", 0.999)}) {
    report.figures.push_back(
        {fmt::format("{}: {}", name, label), run.QuantileUs(quantile), "us", {}, true, ""});
  }
  report.figures.push_back(
      {name + ": failed", static_cast<double>(run.errors), "writes", 0, false, run.first_error});
}

}  // namespace

Status RunSustained(const ScenarioOptions& options, Report& report, Progress& progress) {
  const Duration duration = options.DurationOr(std::chrono::seconds(300), std::chrono::seconds(5));
  const Duration bare_duration = std::min<Duration>(duration / 4, std::chrono::seconds(30));
  auto targets = TargetSet::Open(options.StoresFor("legacy,lmdb,sqlite"), progress);
  if (!targets) return Fail(targets.error());

  double slower = 0;
  for (const char* name : {"lmdb", "sqlite"}) {
    SB_RETURN_IF_ERROR(
        progress.Say(fmt::format("sustained: bare {} in batches of {}", name, kBareBatch)));
    auto rate = BareRate((*targets)->Find(name), options, bare_duration);
    if (!rate) return Fail(rate.error());
    report.figures.push_back(
        {fmt::format("bare {}, batches of {}", name, kBareBatch), *rate, "writes/s", {}, true, ""});
    slower = slower == 0 ? *rate : std::min(slower, *rate);
  }

  ServiceHost& host = *(*targets)->host();
  SB_RETURN_IF_ERROR(progress.Say("sustained: full speed for " + FormatDuration(duration)));
  AsyncPlan plan{options.writers, options.record_count, options.value_bytes, 0, options.seed};
  const RunResult full = RunAsyncWrites(host, plan, duration / 10, duration);
  const ServiceStatus status = host.service().GetStatus();
  SB_RETURN_IF_ERROR(host.Settle());
  const double rate = full.OperationsPerSecond();
  report.figures.push_back({"sustained: writes",
                            rate,
                            "writes/s",
                            {},
                            true,
                            fmt::format("memtable at the end: {} of {} records",
                                        status.memtable_records, status.memtable_records_max)});
  AddRun("sustained", full, report);
  report.figures.push_back(
      {"sustained over the slower bare engine", rate / slower, "x", kRateGoal, true, ""});

  plan.rate = rate / 2;
  plan.writers = kPacedWritersMax;
  SB_RETURN_IF_ERROR(
      progress.Say(fmt::format("sustained: {:.0f} writes/s, half of it", plan.rate)));
  const RunResult paced = RunAsyncWrites(host, plan, duration / 10, duration / 2);
  SB_RETURN_IF_ERROR(host.Settle());
  const std::string name = fmt::format("at {}/s", FormatNumber(plan.rate));
  AddRun(name, paced, report);
  report.figures.push_back({"at half the sustained rate: p99", paced.QuantileUs(0.99), "us",
                            kPacedP99GoalUs, false, ""});
  return {};
}

}  // namespace switchback::bench
