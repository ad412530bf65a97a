// What `switchback bench` can be asked for, and the parsing of its values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.hpp"
#include "server/bench/sqlite_store.hpp"
#include "server/bench/target_name.hpp"
#include "server/bench/worker.hpp"

namespace switchback::bench {

using Duration = std::chrono::nanoseconds;

struct BenchOptions {
  std::vector<const Workload*> workloads;
  std::vector<Distribution> distributions{Distribution::kZipfian};
  std::vector<TargetName> targets;
  std::uint64_t record_count = 1'000'000;
  LoadPlan load;  // its workload and distribution come from the lists above
  Duration warmup = std::chrono::milliseconds(200);
  Duration duration = std::chrono::seconds(1);
  unsigned rounds = 3;
  bool acks_stores = false;   // --ack stores
  int sqlite_page_bytes = 0;  // of the bare file; 0 = what suits the value size best
  std::string data_directory;

  [[nodiscard]] SqliteTuning BareTuning() const;
};

// "10s", "300ms", "5m", "2.5s"; a bare number is seconds. Error: kInvalidArgument.
Result<Duration> ParseDuration(std::string_view text);
std::string FormatDuration(Duration duration);

// "legacy,unified,25%,lmdb,sqlite,lmdb+sqlite". Errors: kInvalidArgument (unknown, named twice).
Result<std::vector<TargetName>> ParseTargets(std::string_view text);
// "zipfian,uniform". Error: kInvalidArgument.
Result<std::vector<Distribution>> ParseDistributions(std::string_view text);

// The settings as a report shows them.
std::vector<std::pair<std::string, std::string>> DescribeOptions(const BenchOptions& options);

}  // namespace switchback::bench
