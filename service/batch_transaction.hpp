// The Transaction of the pipeline: reads see the batch under construction over the memtable over
// the routed store; writes go into the batch.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "service/batch.hpp"
#include "service/read_path.hpp"
#include "service/transaction.hpp"
#include "service/watch_registry.hpp"

namespace switchback {

// The pipeline's thread only. One object serves all writes, one after the other.
class BatchTransaction final : public Transaction {
 public:
  BatchTransaction(BatchBuilder& batch, ReadPath& reads, CollectionCatalog& catalog,
                   std::size_t value_bytes_max)
      : batch_(batch), reads_(reads), catalog_(catalog), value_bytes_max_(value_bytes_max) {}

  // A write begins: limits count from here.
  void Begin() { first_effect_ = batch_.effect_count(), first_byte_ = batch_.byte_count(); }

  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override;
  Result<std::vector<std::optional<std::string>>> MultiGet(
      const Collection& collection, std::span<const std::string_view> keys) override;
  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override;
  Result<std::uint64_t> Count(const Collection& collection) override;

  Status Put(const Collection& collection, std::string_view key, std::string_view value) override;
  Status Delete(const Collection& collection, std::string_view key) override;
  Status Clear(const Collection& collection) override;
  [[nodiscard]] std::size_t Savepoint() const override { return batch_.effect_count(); }
  void RollbackTo(std::size_t savepoint) override { batch_.Truncate(savepoint); }
  Result<StoredValue> GetStored(Role role, const Collection& collection,
                                std::string_view key) override;
  [[nodiscard]] bool IsDirty(const WatchSet& watches) const override;

 private:
  Status CheckWrite(const Collection& collection, std::string_view key, std::size_t value_bytes);
  Status CheckMainCollection(const Collection& collection, std::string_view key);
  // What this batch makes of a collection: latest effect by key, in key order.
  [[nodiscard]] std::map<std::string, std::optional<std::string>> Overlay(
      const Collection& collection) const;

  BatchBuilder& batch_;
  ReadPath& reads_;
  CollectionCatalog& catalog_;
  const std::size_t value_bytes_max_;
  std::size_t first_effect_ = 0;
  std::size_t first_byte_ = 0;
  std::vector<bool> is_checked_against_main_;  // by collection index
};

}  // namespace switchback
