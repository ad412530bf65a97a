// What the guard looks at each tick: counters that only grow, and how things stand.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "common/clock.hpp"
#include "service/histogram.hpp"
#include "service/role.hpp"

namespace switchback {

struct GuardSample {
  struct OfRole {
    std::uint64_t operations = 0;  // reads, scans and transactions applied; failed ones included
    std::uint64_t errors = 0;
    std::uint64_t corruptions = 0;      // errors that say that the store is damaged
    HistogramSnapshot reads;            // of single records, by how long they took
    std::vector<SteadyTime> under_way;  // when those reads began that have not come back
    bool is_in_sync = false;            // whether the two values below say anything
    std::chrono::milliseconds lag{0};   // age of the oldest batch not applied
    std::uint64_t batches_behind = 0;
  };

  SteadyTime now;
  std::array<OfRole, kRoleCount> roles;
  std::uint64_t compared = 0;       // records, by shadow reads and verifies
  std::uint64_t mismatches = 0;     // of them
  double effective_percentage = 0;  // of keys that unified answers for
  std::uint64_t memory_bytes = 0;   // resident, of the process

  [[nodiscard]] const OfRole& of(Role role) const { return roles[Index(role)]; }
};

}  // namespace switchback
