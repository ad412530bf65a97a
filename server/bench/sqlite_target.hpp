// The bare engine "sqlite": prepared statements, a held read transaction a turn, one writer
// connection.
#pragma once

#include <memory>
#include <string>

#include "server/bench/sqlite_store.hpp"
#include "server/bench/target.hpp"

namespace switchback::bench {

class SqliteTarget : public Target {
 public:
  // `store` holds `record_count` records.
  SqliteTarget(std::unique_ptr<SqliteStore> store, std::uint64_t record_count)
      : store_(std::move(store)), records_(record_count) {}

  [[nodiscard]] const std::string& name() const override { return name_; }
  Status Prepare() override { return {}; }
  Result<std::unique_ptr<Client>> NewClient() override;
  Status Settle() override { return store_->Checkpoint(); }
  [[nodiscard]] RecordCounter& records() override { return records_; }

 private:
  const std::string name_ = "sqlite";
  std::unique_ptr<SqliteStore> store_;
  RecordCounter records_;
};

}  // namespace switchback::bench
