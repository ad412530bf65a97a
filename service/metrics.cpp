#include "service/metrics.hpp"

#include <algorithm>

namespace switchback {

MetricsBlock::~MetricsBlock() {
  for (auto& slot : slots_) delete slot.load(std::memory_order_relaxed);
}

MetricsBlock::Counters* MetricsBlock::MakeSlot(std::size_t slot) {
  auto* counters = new Counters();
  slots_[slot].store(counters, std::memory_order_release);
  return counters;
}

void MetricsBlock::CountError(const Collection* collection, Role role, Operation operation,
                              std::string_view key, const Error& error) {
  Add(Of(collection, role, operation).errors);
  recent_errors_.Add(role, OperationName(operation),
                     collection != nullptr ? std::string_view(collection->name) : "", key, error);
}

void MetricsRegistry::AddSlot(const MetricsBlock& block, std::size_t slot, Counts& sum) {
  const auto* counters = block.slots_[slot].load(std::memory_order_acquire);
  if (counters == nullptr) return;
  for (std::size_t role = 0; role < kRoleCount; ++role) {
    for (std::size_t operation = 0; operation < kOperationCount; ++operation) {
      const auto& from = (*counters)[role][operation];
      sum[role][operation].errors += from.errors.load(std::memory_order_relaxed);
      from.latency.AddTo(sum[role][operation].latency);
    }
  }
}

void MetricsRegistry::Retire(const MetricsBlock& block) {
  for (std::size_t slot = 0; slot < MetricsBlock::kSlotCount; ++slot) {
    if (block.slots_[slot].load(std::memory_order_acquire) == nullptr) continue;
    if (!retired_[slot]) retired_[slot] = std::make_unique<Counts>();
    AddSlot(block, slot, *retired_[slot]);
  }
  retired_memtable_hits_ += block.memtable_hits.load(std::memory_order_relaxed);
  retired_failovers_ += block.failovers.load(std::memory_order_relaxed);
}

MetricsRegistry::BlockPtr MetricsRegistry::NewBlock() {
  MutexLock lock(mutex_);
  const auto is_given_back = [](const BlockPtr& block) { return block.use_count() == 1; };
  for (const BlockPtr& block : blocks_) {
    if (is_given_back(block)) Retire(*block);
  }
  blocks_.erase(std::remove_if(blocks_.begin(), blocks_.end(), is_given_back), blocks_.end());
  blocks_.push_back(std::make_shared<MetricsBlock>(recent_errors_));
  return blocks_.back();
}

namespace {

void AddCounts(const PerRoleAndOperation<OperationCounts>& from,
               PerRoleAndOperation<OperationCounts>& sum) {
  for (std::size_t role = 0; role < kRoleCount; ++role) {
    for (std::size_t operation = 0; operation < kOperationCount; ++operation) {
      sum[role][operation].errors += from[role][operation].errors;
      sum[role][operation].latency += from[role][operation].latency;
    }
  }
}

}  // namespace

MetricsSnapshot MetricsRegistry::Snapshot() const {
  MutexLock lock(mutex_);
  MetricsSnapshot sum;
  sum.memtable_hits = retired_memtable_hits_;
  sum.failovers = retired_failovers_;
  for (const auto& retired : retired_) {
    if (retired) AddCounts(*retired, sum.operations);
  }
  for (const BlockPtr& block : blocks_) {
    for (std::size_t slot = 0; slot < MetricsBlock::kSlotCount; ++slot)
      AddSlot(*block, slot, sum.operations);
    sum.memtable_hits += block->memtable_hits.load(std::memory_order_relaxed);
    sum.failovers += block->failovers.load(std::memory_order_relaxed);
    for (const Role role : kRoles) {
      const auto since = block->reading_since_[Index(role)].load(std::memory_order_relaxed);
      if (since != 0) sum.reads_under_way[Index(role)].emplace_back(SteadyTime::duration(since));
    }
  }
  return sum;
}

std::vector<CollectionMetrics> MetricsRegistry::CollectionSnapshot(
    const CollectionCatalog& catalog) const {
  const auto collections = catalog.All();
  std::vector<CollectionMetrics> all;
  MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot <= MetricsBlock::kCollectionsCounted; ++slot) {
    CollectionMetrics metrics;
    bool is_used = retired_[slot] != nullptr;
    if (is_used) AddCounts(*retired_[slot], metrics.operations);
    for (const BlockPtr& block : blocks_) {
      is_used = is_used || block->slots_[slot].load(std::memory_order_acquire) != nullptr;
      AddSlot(*block, slot, metrics.operations);
    }
    if (!is_used) continue;
    if (slot < MetricsBlock::kCollectionsCounted && slot < collections.size())
      metrics.name = collections[slot]->name;
    all.push_back(std::move(metrics));
  }
  return all;
}

}  // namespace switchback
