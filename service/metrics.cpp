#include "service/metrics.hpp"

#include <algorithm>

namespace switchback {
namespace {

void AddBlock(const MetricsBlock& block, MetricsSnapshot& sum) {
  for (std::size_t role = 0; role < kRoleCount; ++role) {
    for (std::size_t operation = 0; operation < kOperationCount; ++operation) {
      const auto& from = block.operations[role][operation];
      sum.operations[role][operation].errors += from.errors.load(std::memory_order_relaxed);
      from.latency.AddTo(sum.operations[role][operation].latency);
    }
  }
  sum.memtable_hits += block.memtable_hits.load(std::memory_order_relaxed);
  sum.failovers += block.failovers.load(std::memory_order_relaxed);
}

}  // namespace

MetricsRegistry::BlockPtr MetricsRegistry::NewBlock() {
  MutexLock lock(mutex_);
  const auto is_given_back = [](const BlockPtr& block) { return block.use_count() == 1; };
  for (const BlockPtr& block : blocks_) {
    if (is_given_back(block)) AddBlock(*block, retired_);
  }
  blocks_.erase(std::remove_if(blocks_.begin(), blocks_.end(), is_given_back), blocks_.end());
  blocks_.push_back(std::make_shared<MetricsBlock>());
  return blocks_.back();
}

MetricsSnapshot MetricsRegistry::Snapshot() const {
  MutexLock lock(mutex_);
  MetricsSnapshot sum = retired_;
  for (const BlockPtr& block : blocks_) AddBlock(*block, sum);
  return sum;
}

}  // namespace switchback
