// From the results of rounds to figures. Pure.
#pragma once

#include <string>
#include <vector>

#include "server/bench/report.hpp"
#include "server/bench/run_result.hpp"

namespace switchback::bench {

// The middle value, or the mean of the two middle ones; 0 of nothing.
double Median(std::vector<double> values);

// The results of one target, in the order of the rounds.
struct TargetRounds {
  std::string target;
  bool is_bare = false;  // an engine without our code: others get a ratio to it
  std::vector<RunResult> rounds;
};

// Medians and ratios for one workload, in the order given.
std::vector<TargetFigures> Summarize(const std::vector<TargetRounds>& targets);

}  // namespace switchback::bench
