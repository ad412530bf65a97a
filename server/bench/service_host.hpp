// A DbService in this process, over records that were loaded the fast way: an LMDB environment made
// with MDB_APPEND, adopted, and copied into SQLite by the migrator.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "service/db_service.hpp"

namespace switchback::bench {

struct ServiceHostOptions {
  std::string directory;  // it makes `legacy` and `data` in it
  std::uint64_t record_count = 1'000'000;
  std::size_t value_bytes = 100;
  AckMode ack = AckMode::kLog;
  bool is_filled = true;  // copy the records into unified; else only legacy holds them
  std::function<void(const std::string& path)> take_log_file = {};  // as of DbServiceOptions
};

// Thread-safe as the service is; SetShare from one thread at a time.
class ServiceHost {
 public:
  static Result<std::unique_ptr<ServiceHost>> Open(const ServiceHostOptions& options);
  // The directory of an environment that Open would adopt; without a service.
  static std::string LegacyPath(const std::string& directory) { return directory + "/legacy"; }
  // Opens a service on a directory that Open has made before.
  static Result<std::unique_ptr<ServiceHost>> Reopen(const ServiceHostOptions& options);

  [[nodiscard]] DbService& service() const { return *service_; }
  [[nodiscard]] const Collection& collection() const { return *collection_; }

  // Publishes the flag: false for everybody, true for everybody, or true for a percentage. Error:
  // kRefused when unified cannot serve.
  Status SetFlag(bool is_on, std::optional<double> percentage);
  // Fills unified from legacy, once. Blocks until it is in sync.
  Status FillUnified();
  // Waits until both stores have applied and synced everything.
  Status Settle();

 private:
  ServiceHost(std::unique_ptr<DbService> service, const Collection* collection)
      : service_(std::move(service)), collection_(collection) {}
  std::unique_ptr<DbService> service_;
  const Collection* collection_;
  std::uint64_t flag_revision_ = 0;
};

}  // namespace switchback::bench
