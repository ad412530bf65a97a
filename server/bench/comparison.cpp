#include "server/bench/comparison.hpp"

#include <fmt/core.h>

#include "server/bench/load_generator.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

std::vector<TargetRounds> EmptyRounds(const TargetSet& targets) {
  std::vector<TargetRounds> all;
  for (const TargetSet::Entry& entry : targets.entries())
    all.push_back({entry.name.text, entry.name.is_bare(), {}});
  return all;
}

// One run after another: the figures of a round may only be disturbed by what disturbs them all.
Result<Comparison> CompareWorkload(const TargetSet& targets, const BenchOptions& options,
                                   const LoadPlan& plan, Progress& progress) {
  std::vector<TargetRounds> results = EmptyRounds(targets);
  const char* distribution = DistributionName(plan.workload->DistributionFor(plan.distribution));
  for (unsigned round = 0; round < options.rounds; ++round) {
    LoadPlan round_plan = plan;
    round_plan.seed += round;  // the same for every target of the round
    for (std::size_t index = 0; index < results.size(); ++index) {
      Target& target = *targets.entries()[index].target;
      SB_RETURN_IF_ERROR(progress.Say(fmt::format("workload {} {}, round {} of {}: {}",
                                                  plan.workload->letter, distribution, round + 1,
                                                  options.rounds, results[index].target)));
      auto result = RunLoad(target, round_plan, options.warmup, options.duration);
      if (!result) return Fail(WithContext(result.error(), results[index].target));
      if (plan.workload->has_writes()) SB_RETURN_IF_ERROR(target.Settle());
      results[index].rounds.push_back(std::move(*result));
    }
  }
  return Comparison{std::string(1, plan.workload->letter), plan.workload->summary, distribution,
                    Summarize(results)};
}

}  // namespace

Result<std::vector<Comparison>> CompareTargets(const TargetSet& targets,
                                               const BenchOptions& options, Progress& progress) {
  std::vector<Comparison> comparisons;
  for (const Distribution distribution : options.distributions) {
    for (const Workload* workload : options.workloads) {
      // D chooses the newest records whatever was asked: once is enough.
      if (workload->reads_latest && distribution != options.distributions.front()) continue;
      LoadPlan plan = options.load;
      plan.workload = workload;
      plan.distribution = distribution;
      auto comparison = CompareWorkload(targets, options, plan, progress);
      if (!comparison) return Fail(comparison.error());
      comparisons.push_back(std::move(*comparison));
    }
  }
  return comparisons;
}

Result<Report> RunComparison(const BenchOptions& options, Progress& progress) {
  Report report;
  report.machine = DescribeMachine(options.data_directory);
  report.settings = DescribeOptions(options);
  auto targets = TargetSet::Open(options, progress);
  if (!targets) return Fail(targets.error());
  auto comparisons = CompareTargets(**targets, options, progress);
  if (!comparisons) return Fail(comparisons.error());
  report.comparisons = std::move(*comparisons);
  report.remarks.emplace_back(
      "x NAME is the throughput over that engine's without our code, the median of the rounds' "
      "ratios. CPU us is that of the whole process, background threads included.");
  if (IsMemoryFileSystem(report.machine))
    report.remarks.emplace_back("The data lay in memory: durable writes are not what they seem.");
  return report;
}

}  // namespace switchback::bench
