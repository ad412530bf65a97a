// What the service counts. Writers count into their own block without locks; a snapshot sums all
// blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/sync.hpp"
#include "service/histogram.hpp"
#include "service/role.hpp"

namespace switchback {

// What a role does: answers a read of one key, of several keys, a scan or count, or applies a
// transaction of the log.
enum class Operation : std::uint8_t { kGet = 0, kMultiGet, kScan, kApply };
inline constexpr std::size_t kOperationCount = 4;
constexpr const char* OperationName(Operation operation) {
  constexpr std::array<const char*, kOperationCount> kNames{"get", "mget", "scan", "apply"};
  return kNames[static_cast<std::size_t>(operation)];
}

// Counters of one thread. Memtable hits count for the role the key was routed to.
struct MetricsBlock {
  struct PerOperation {
    std::atomic<std::uint64_t> errors{0};
    Histogram latency;  // its count is the number of operations, failed ones included
  };
  std::array<std::array<PerOperation, kOperationCount>, kRoleCount> operations;
  std::atomic<std::uint64_t> memtable_hits{0};
  std::atomic<std::uint64_t> failovers{0};  // reads answered by the other role after an error (I6)

  PerOperation& Of(Role role, Operation operation) {
    return operations[Index(role)][static_cast<std::size_t>(operation)];
  }
  // One writer a block: a plain add is enough.
  static void Add(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
};

struct MetricsSnapshot {
  struct PerOperation {
    std::uint64_t errors = 0;
    HistogramSnapshot latency;
  };
  std::array<std::array<PerOperation, kOperationCount>, kRoleCount> operations;
  std::uint64_t memtable_hits = 0;
  std::uint64_t failovers = 0;

  [[nodiscard]] const PerOperation& Of(Role role, Operation operation) const {
    return operations[Index(role)][static_cast<std::size_t>(operation)];
  }
};

// Thread-safe. A block that is given back is kept in the sum.
class MetricsRegistry {
 public:
  using BlockPtr = std::shared_ptr<MetricsBlock>;
  BlockPtr NewBlock() SB_EXCLUDES(mutex_);
  [[nodiscard]] MetricsSnapshot Snapshot() const SB_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  // Blocks whose only owner is this registry are folded into retired_ at the next NewBlock.
  std::vector<BlockPtr> blocks_ SB_GUARDED_BY(mutex_);
  MetricsSnapshot retired_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
