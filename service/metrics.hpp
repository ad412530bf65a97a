// What the service counts. Writers count into their own block without locks; a snapshot sums all
// blocks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/collection.hpp"
#include "common/clock.hpp"
#include "common/sync.hpp"
#include "service/histogram.hpp"
#include "service/recent_errors.hpp"
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

template <class T>
using PerRoleAndOperation = std::array<std::array<T, kOperationCount>, kRoleCount>;

// Counters of one thread. Memtable hits count for the role the key was routed to.
class MetricsBlock {
 public:
  struct PerOperation {
    std::atomic<std::uint64_t> errors{0};
    Histogram latency;  // its count is the number of operations, failed ones included
  };
  // The first collections are counted each on its own, the others together.
  static constexpr std::size_t kCollectionsCounted = 64;

  // `recent_errors` outlives it.
  explicit MetricsBlock(RecentErrors& recent_errors) : recent_errors_(recent_errors) {}
  ~MetricsBlock();
  MetricsBlock(const MetricsBlock&) = delete;
  MetricsBlock& operator=(const MetricsBlock&) = delete;

  // What concerns no single collection: null. The block's thread only.
  PerOperation& Of(const Collection* collection, Role role, Operation operation) {
    auto* counters = slots_[SlotOf(collection)].load(std::memory_order_relaxed);
    if (counters == nullptr) [[unlikely]]
      counters = MakeSlot(SlotOf(collection));
    return (*counters)[Index(role)][static_cast<std::size_t>(operation)];
  }
  // The same; `key` may be "".
  void CountError(const Collection* collection, Role role, Operation operation,
                  std::string_view key, const Error& error);

  // Between the two a read of that role's store is under way on the block's thread: one that never
  // returns can be seen so.
  void BeginRead(Role role, SteadyTime now) {
    reading_since_[Index(role)].store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void EndRead(Role role) { reading_since_[Index(role)].store(0, std::memory_order_relaxed); }

  // One writer a block: a plain add is enough.
  static void Add(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> memtable_hits{0};
  std::atomic<std::uint64_t> failovers{0};  // reads answered by the other role after an error (I6)

 private:
  friend class MetricsRegistry;
  using Counters = PerRoleAndOperation<PerOperation>;
  static constexpr std::size_t kNoCollection = kCollectionsCounted + 1;
  static constexpr std::size_t kSlotCount = kCollectionsCounted + 2;

  static std::size_t SlotOf(const Collection* collection) {
    if (collection == nullptr) return kNoCollection;
    return collection->index < kCollectionsCounted ? collection->index : kCollectionsCounted;
  }
  Counters* MakeSlot(std::size_t slot);

  RecentErrors& recent_errors_;
  std::array<std::atomic<Counters*>, kSlotCount> slots_{};
  std::array<std::atomic<SteadyTime::rep>, kRoleCount> reading_since_{};  // 0 = none is
};

struct OperationCounts {
  std::uint64_t errors = 0;
  HistogramSnapshot latency;
};

struct MetricsSnapshot {
  using PerOperation = OperationCounts;
  PerRoleAndOperation<OperationCounts> operations;
  std::uint64_t memtable_hits = 0;
  std::uint64_t failovers = 0;
  // When each read began that is under way now, by the role whose store it reads.
  std::array<std::vector<SteadyTime>, kRoleCount> reads_under_way;

  [[nodiscard]] const PerOperation& Of(Role role, Operation operation) const {
    return operations[Index(role)][static_cast<std::size_t>(operation)];
  }
};

struct CollectionMetrics {
  std::string name;  // "" = those that are not counted each on its own
  PerRoleAndOperation<OperationCounts> operations;

  [[nodiscard]] const OperationCounts& Of(Role role, Operation operation) const {
    return operations[Index(role)][static_cast<std::size_t>(operation)];
  }
};

// Thread-safe. A block that is given back is kept in the sum.
class MetricsRegistry {
 public:
  using BlockPtr = std::shared_ptr<MetricsBlock>;
  BlockPtr NewBlock() SB_EXCLUDES(mutex_);
  [[nodiscard]] MetricsSnapshot Snapshot() const SB_EXCLUDES(mutex_);
  // Of collections that were read, by index; `catalog` is the one that their indexes are of.
  [[nodiscard]] std::vector<CollectionMetrics> CollectionSnapshot(
      const CollectionCatalog& catalog) const SB_EXCLUDES(mutex_);
  [[nodiscard]] const RecentErrors& recent_errors() const { return recent_errors_; }

 private:
  using Counts = PerRoleAndOperation<OperationCounts>;
  static void AddSlot(const MetricsBlock& block, std::size_t slot, Counts& sum);
  void Retire(const MetricsBlock& block) SB_REQUIRES(mutex_);

  RecentErrors recent_errors_;
  mutable Mutex mutex_;
  // Blocks whose only owner is this registry are folded into retired_ at the next NewBlock.
  std::vector<BlockPtr> blocks_ SB_GUARDED_BY(mutex_);
  std::array<std::unique_ptr<Counts>, MetricsBlock::kSlotCount> retired_ SB_GUARDED_BY(mutex_);
  std::uint64_t retired_memtable_hits_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t retired_failovers_ SB_GUARDED_BY(mutex_) = 0;
};

}  // namespace switchback
