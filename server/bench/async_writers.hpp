// Many writes under way from one thread, as a server's event loop has them: each writer is a
// WriteOp that is submitted again when it is done.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/result.hpp"
#include "server/bench/run_result.hpp"
#include "server/bench/service_host.hpp"

namespace switchback::bench {

struct AsyncPlan {
  unsigned writers = 16;  // writes under way at once
  std::uint64_t record_count = 1'000'000;
  std::size_t value_bytes = 100;
  // Writes per second; 0 = each writer goes on as soon as it is answered. At a rate, `writers` is
  // the most that may be under way, and latency counts from when a write was due.
  double rate = 0;
  std::uint64_t seed = 1;
};

// Updates uniformly chosen records for `warmup`, then for `duration` measured. Blocks for both, and
// until every write is answered.
RunResult RunAsyncWrites(ServiceHost& host, const AsyncPlan& plan, std::chrono::nanoseconds warmup,
                         std::chrono::nanoseconds duration);

}  // namespace switchback::bench
