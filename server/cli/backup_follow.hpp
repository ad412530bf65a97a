// Following an operation on backups that runs in the server.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/result.hpp"
#include "server/cli/server_api.hpp"

namespace switchback {

// Shows progress until the operation has ended, and gives its last status. SIGINT ends the
// following, never the operation (kCancelled).
Result<nlohmann::ordered_json> FollowBackup(const ServerApi& api, nlohmann::ordered_json status,
                                            bool is_json);
// How an operation failed, by its status.
Error BackupErrorOf(const nlohmann::ordered_json& status);
// "copy  12 MiB of 40 MiB, 3 s left"
std::string BackupProgressText(const nlohmann::ordered_json& status);

}  // namespace switchback
