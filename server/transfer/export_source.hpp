// Where records are exported from: a running server, a data directory that no server
// has open, or a plain LMDB environment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/cli/server_api.hpp"
#include "service/role.hpp"

namespace switchback {

struct ExportCollection {
  std::string name;
  std::optional<std::uint64_t> records;  // nullopt: it would cost a pass to know
};

// One thread.
class ExportSource {
 public:
  using Visitor = std::function<Status(std::string_view key, std::string_view value)>;
  virtual ~ExportSource() = default;

  // Those that exist, sorted by name. Errors: of the place.
  virtual Result<std::vector<ExportCollection>> Collections() = 0;
  // The records whose key begins with `prefix`, in key order, until the visitor gives an error,
  // which is the answer then. A collection that does not exist is empty.
  virtual Status ForEach(const std::string& collection, const std::string& prefix,
                         const Visitor& visit) = 0;
  // What belongs together, for people: "the store legacy as of batch 17".
  [[nodiscard]] virtual std::string Describe() const = 0;
  // What is there and cannot be exported, a line each.
  [[nodiscard]] virtual std::vector<std::string> Warnings() const { return {}; }
};

// Asks the server for pages; `role` reads that store alone. Errors of its calls: those of
// ServerApi. Also answers whether there is a server: kUnavailable from Collections().
std::unique_ptr<ExportSource> NewServerSource(ServerApi api, std::optional<Role> role);

// Opens the data directory as a server would and shows its stores at one batch. Without `role` a
// collection comes from legacy where that holds it, else from unified. Errors: those of
// OpenOffline, kRefused (that store is not in sync).
Result<std::unique_ptr<ExportSource>> OpenDirectorySource(const std::string& data_dir,
                                                          std::optional<Role> role);

// One snapshot of an environment that is anybody's. Errors: those of LmdbFileReader::Open.
Result<std::unique_ptr<ExportSource>> OpenLmdbSource(const std::string& path);

}  // namespace switchback
