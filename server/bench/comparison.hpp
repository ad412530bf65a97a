// Workloads against targets, in interleaved rounds: A B C D A B C D ..., so that whatever slows the
// machine for a while slows all of them alike.
#pragma once

#include "common/result.hpp"
#include "server/bench/options.hpp"
#include "server/bench/progress.hpp"
#include "server/bench/report.hpp"
#include "server/bench/target_set.hpp"

namespace switchback::bench {

// Runs every workload in every distribution for options.rounds rounds. Blocks for about rounds *
// targets * workloads * (duration + warmup). Errors: a target cannot be prepared or settled; failed
// operations are counted instead.
Result<std::vector<Comparison>> CompareTargets(const TargetSet& targets,
                                               const BenchOptions& options, Progress& progress);

// Loads the stores into options.data_directory and compares. The report holds everything but the
// title.
Result<Report> RunComparison(const BenchOptions& options, Progress& progress);

}  // namespace switchback::bench
