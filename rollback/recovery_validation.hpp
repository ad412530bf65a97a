// Whether the service is well after a rollback: reads, writes, deletes and scans through the public
// path, both stores compared on a sample, latency and memory. Leaves nothing behind: what it writes
// it deletes in the same batch.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct ValidationCheck {
  std::string name;  // "reads" "write" "scan" "stores" "latency" "memory"
  bool is_passed = false;
  std::string detail;        // for people
  bool is_critical = false;  // it failed in a way that says that what is served may be wrong
};

struct ValidationResult {
  std::vector<ValidationCheck> checks;
  double milliseconds = 0;

  [[nodiscard]] bool is_passed() const;
  // What failed critically, "" when nothing did.
  [[nodiscard]] std::string Critical() const;
};

struct ValidationLimits {
  std::size_t sample_count = 256;  // records, over all collections
  std::chrono::microseconds read_p99_max{10'000};
  std::uint64_t memory_growth_max = 64ull << 20;  // while it runs
  std::function<std::uint64_t()> memory_bytes;    // empty: not looked at
};

// Blocks for some tens of milliseconds.
ValidationResult ValidateRecovery(DbService& service, const Clock& clock,
                                  const ValidationLimits& limits);

}  // namespace switchback
