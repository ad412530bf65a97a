// The bare engine "lmdb": renewed read transactions, a durable commit for each write transaction.
#pragma once

#include <memory>
#include <string>

#include "server/bench/lmdb_store.hpp"
#include "server/bench/target.hpp"

namespace switchback::bench {

class LmdbTarget : public Target {
 public:
  // `store` holds `record_count` records.
  LmdbTarget(std::unique_ptr<LmdbStore> store, std::uint64_t record_count)
      : store_(std::move(store)), records_(record_count) {}

  [[nodiscard]] const std::string& name() const override { return name_; }
  Status Prepare() override { return {}; }
  Result<std::unique_ptr<Client>> NewClient() override;
  Status Settle() override { return {}; }  // every commit was durable
  [[nodiscard]] RecordCounter& records() override { return records_; }

 private:
  const std::string name_ = "lmdb";
  std::unique_ptr<LmdbStore> store_;
  RecordCounter records_;
};

}  // namespace switchback::bench
