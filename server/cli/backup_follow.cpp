#include "server/cli/backup_follow.hpp"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "server/cli/output.hpp"
#include "server/cli/progress.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kPollInterval{100};

}  // namespace

std::string BackupProgressText(const Json& status) {
  std::string text = fmt::format("{}  {} of {}", status.value("stage", ""),
                                 FormatBytes(status.value("bytes_done", 0ull)),
                                 FormatBytes(status.value("bytes_total", 0ull)));
  const Json eta = status.value("eta_seconds", Json());
  return eta.is_number() ? text + ", " + FormatSeconds(eta.get<double>()) + " left" : text;
}

Error BackupErrorOf(const Json& status) {
  Error error{ErrorCode::kInternal, status.value("error", "")};
  for (int index = 0; index < static_cast<int>(ErrorCode::kInternal); ++index) {
    const auto code = static_cast<ErrorCode>(index);
    if (status.value("error_code", "") == ErrorCodeName(code)) error.code = code;
  }
  return error;
}

Result<Json> FollowBackup(const ServerApi& api, Json status, bool is_json) {
  const std::string id = status.value("id", "");
  StopSignal stop;
  Progress progress(std::cout, IsTerminal());
  while (status.value("state", "") == "running" && status.value("id", "") == id) {
    if (!is_json && status.value("bytes_total", 0ull) > 0)
      progress.Show(status.value("percent", 0.0), BackupProgressText(status), SystemClock().Now());
    if (stop.WaitFor(kPollInterval))
      return Fail(ErrorCode::kCancelled,
                  "it goes on in the server; `switchback backup status` shows it, `switchback "
                  "backup cancel` ends it");
    auto next = api.Get("/v1/backups/status");
    if (!next) return next;
    status = *std::move(next);
  }
  return status;
}

}  // namespace switchback
