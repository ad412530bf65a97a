// The targets of one benchmark, loaded with the same records.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/bench/lmdb_target.hpp"
#include "server/bench/options.hpp"
#include "server/bench/progress.hpp"
#include "server/bench/service_host.hpp"
#include "server/bench/sqlite_target.hpp"
#include "server/bench/target.hpp"

namespace switchback::bench {

// Roles and percentages share one service; each bare engine has a store of its own. One thread.
class TargetSet {
 public:
  // Loads what `options.targets` needs into directories below options.data_directory.
  static Result<std::unique_ptr<TargetSet>> Open(const BenchOptions& options, Progress& progress);

  struct Entry {
    TargetName name;
    Target* target;
  };
  // In the order asked for.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // The target of that name; it must have been asked for.
  [[nodiscard]] Target& Find(const std::string& name) const;
  // nullptr when no role was asked for.
  [[nodiscard]] ServiceHost* host() const { return host_.get(); }

 private:
  TargetSet() = default;
  Status Load(const BenchOptions& options, Progress& progress);
  Result<Target*> Add(const TargetName& name);

  std::unique_ptr<ServiceHost> host_;
  std::unique_ptr<RecordCounter> service_records_;
  std::unique_ptr<LmdbTarget> lmdb_;
  std::unique_ptr<SqliteTarget> sqlite_;
  std::vector<std::unique_ptr<Target>> others_;
  std::vector<Entry> entries_;
};

}  // namespace switchback::bench
