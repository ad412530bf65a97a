// YCSB's core workloads (Cooper et al., SoCC 2010; the property files workloada..workloadf), and
// W, nothing but updates, for the durable write path.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/bench/key_chooser.hpp"
#include "server/bench/random.hpp"

namespace switchback::bench {

enum class OperationKind : std::uint8_t { kRead, kUpdate, kInsert, kScan, kReadModifyWrite };
inline constexpr std::size_t kOperationKindCount = 5;
const char* OperationKindName(OperationKind kind);

// YCSB's maxscanlength: a scan reads 1..100 records, uniformly.
inline constexpr std::uint64_t kScanLengthMax = 100;

struct Workload {
  char letter = 'A';
  const char* summary = "";
  // Percent of the operations, by OperationKind; 100 in all.
  std::array<unsigned, kOperationKindCount> percent{};
  bool reads_latest = false;  // D: whatever the distribution asked for

  [[nodiscard]] OperationKind Choose(Random& random) const;
  [[nodiscard]] bool has_writes() const;
  // `asked` but for D, which is about the newest records.
  [[nodiscard]] Distribution DistributionFor(Distribution asked) const {
    return reads_latest ? Distribution::kLatest : asked;
  }
};

// nullptr when there is no such workload. Letters in any case.
const Workload* FindWorkload(char letter);

// "A,C" or "ac" or "all" (A to F) into workloads, in the order given. Error: kInvalidArgument.
Result<std::vector<const Workload*>> ParseWorkloads(std::string_view text);

}  // namespace switchback::bench
