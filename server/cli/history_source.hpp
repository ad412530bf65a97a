// The history as the command sees it: the running server's, or the file of one that does not run.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "migration/journal.hpp"
#include "server/cli/server_api.hpp"

namespace switchback {

// Belongs to one thread.
class HistorySource {
 public:
  // The file of --data-dir when nobody has that directory and no --url is given, else the server
  // that ServerApi::Find finds. Errors: those of it and of Journal::OpenToRead.
  static Result<HistorySource> Find(const ServerOptions& options);

  // The documents of server/http/history_json.hpp. Errors: those there, or of ServerApi.
  // `count_max` entries, however many requests that takes; 0 = all.
  Result<nlohmann::ordered_json> List(HistoryQuery query);
  Result<nlohmann::ordered_json> Show(std::int64_t operation);
  Result<nlohmann::ordered_json> Verify(const std::string& expected_head);
  // {"number", "operation"}. Without a server it takes the directory's lock: kConflict when
  // somebody has it by now.
  Result<nlohmann::ordered_json> AddNote(const OperationNote& note);

 private:
  HistorySource() = default;
  Result<nlohmann::ordered_json> Page(const HistoryQuery& query);

  std::string data_dir_;
  std::unique_ptr<Journal> journal_;  // of the file
  std::optional<ServerApi> api_;      // the server, otherwise
};

}  // namespace switchback
