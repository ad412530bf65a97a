#include "server/bench/run_result.hpp"

namespace switchback::bench {

void RunResult::Add(const RunResult& other) {
  operations += other.operations;
  errors += other.errors;
  absent += other.absent;
  if (first_error.empty()) first_error = other.first_error;
  latency += other.latency;
  for (std::size_t kind = 0; kind < kOperationKindCount; ++kind)
    latency_by_kind[kind] += other.latency_by_kind[kind];
}

}  // namespace switchback::bench
