#include "server/bench/summary.hpp"

#include <algorithm>

#include "common/check.hpp"

namespace switchback::bench {
namespace {

template <class Measure>
double MedianOf(const std::vector<RunResult>& rounds, const Measure& measure) {
  std::vector<double> values;
  for (const RunResult& round : rounds) values.push_back(measure(round));
  return Median(std::move(values));
}

double MedianQuantileUs(const std::vector<RunResult>& rounds, double quantile) {
  return MedianOf(rounds,
                  [quantile](const RunResult& round) { return round.QuantileUs(quantile); });
}

double MedianRatio(const std::vector<RunResult>& rounds, const std::vector<RunResult>& bare) {
  SB_CHECK(rounds.size() == bare.size(), "every target runs in every round");
  std::vector<double> ratios;
  for (std::size_t round = 0; round < rounds.size(); ++round) {
    const double base = bare[round].OperationsPerSecond();
    if (base > 0) ratios.push_back(rounds[round].OperationsPerSecond() / base);
  }
  return Median(std::move(ratios));
}

double CpuUsPerOperation(const RunResult& round) {
  return round.operations == 0 ? 0
                               : round.cpu_seconds * 1e6 / static_cast<double>(round.operations);
}

TargetFigures FiguresOf(const TargetRounds& target) {
  TargetFigures figures;
  figures.target = target.target;
  figures.operations_per_second =
      MedianOf(target.rounds, [](const RunResult& round) { return round.OperationsPerSecond(); });
  figures.latency_us_p50 = MedianQuantileUs(target.rounds, 0.5);
  figures.latency_us_p95 = MedianQuantileUs(target.rounds, 0.95);
  figures.latency_us_p99 = MedianQuantileUs(target.rounds, 0.99);
  figures.latency_us_p999 = MedianQuantileUs(target.rounds, 0.999);
  figures.cpu_us_per_operation = MedianOf(target.rounds, CpuUsPerOperation);
  for (const RunResult& round : target.rounds) {
    figures.rounds.push_back(round.OperationsPerSecond());
    figures.errors += round.errors;
    figures.absent += round.absent;
    if (figures.first_error.empty()) figures.first_error = round.first_error;
  }
  return figures;
}

}  // namespace

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

std::vector<TargetFigures> Summarize(const std::vector<TargetRounds>& targets) {
  std::vector<TargetFigures> all;
  for (const TargetRounds& target : targets) {
    TargetFigures figures = FiguresOf(target);
    for (const TargetRounds& bare : targets) {
      if (bare.is_bare) figures.ratio_to[bare.target] = MedianRatio(target.rounds, bare.rounds);
    }
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace switchback::bench
