// What one run of a load came to.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "server/bench/workload.hpp"
#include "service/histogram.hpp"

namespace switchback::bench {

struct RunResult {
  double seconds = 0;  // that were measured
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;  // operations that failed; they count as operations too
  std::uint64_t absent = 0;  // reads of a record that should have been there and was not
  std::string first_error;
  double cpu_seconds = 0;     // of the whole process meanwhile, user and system
  HistogramSnapshot latency;  // of all operations
  std::array<HistogramSnapshot, kOperationKindCount> latency_by_kind;

  [[nodiscard]] double OperationsPerSecond() const {
    return seconds > 0 ? static_cast<double>(operations) / seconds : 0;
  }
  [[nodiscard]] double QuantileUs(double quantile) const {
    return static_cast<double>(latency.QuantileNs(quantile)) / 1e3;
  }
  // Joins what another thread did in the same time.
  void Add(const RunResult& other);
};

}  // namespace switchback::bench
