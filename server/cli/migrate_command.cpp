#include <fmt/format.h>

#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/progress.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// Often enough for a smooth bar, and nothing next to the work that is watched.
constexpr std::chrono::milliseconds kPollInterval{200};

struct MigrateOptions {
  ServerOptions server;
  bool is_followed = false;
};

std::string ProgressText(const Json& status) {
  std::string text = fmt::format(
      "{} of {} records, {} a second", FormatCount(status.value("records_done", std::uint64_t{0})),
      FormatCount(status.value("records_total", std::uint64_t{0})),
      FormatCount(static_cast<std::uint64_t>(status.value("records_per_second", 0.0))));
  const Json eta = status.value("eta_seconds", Json());
  if (eta.is_number()) text += ", " + FormatSeconds(eta.get<double>()) + " left";
  const std::string collection = status.value("current_collection", "");
  if (!collection.empty()) text += "  " + collection;
  return text;
}

void PrintStatus(const Json& status) {
  const std::string state = status.value("state", "");
  std::cout << "migration: " << state;
  if (state == "running") std::cout << ", " << FormatPercent(status.value("percent", 0.0)) << " %";
  if (status.value("records_total", std::uint64_t{0}) > 0)
    std::cout << ", " << ProgressText(status);
  std::cout << "\n";
  const std::string error = status.value("error", "");
  if (!error.empty()) std::cout << "error: " << error << "\n";
  if (status.value("can_flip", false)) {
    std::cout << "the flag may be switched on\n";
  } else {
    std::cout << "the flag may not be switched on yet: " << status.value("can_flip_reason", "")
              << "\n";
  }
}

int Finish(const Json& status, bool is_json) {
  if (is_json) {
    PrintJson(status);
  } else {
    PrintStatus(status);
  }
  return status.value("state", "") == "failed" ? kExitFailed : kExitDone;
}

// Follows a migration to its end. SIGINT ends the following, never the migration.
int Follow(const ServerApi& api, Json status, bool is_json) {
  StopSignal stop;
  {
    Progress progress(std::cout, IsTerminal());
    while (status.value("state", "") == "running") {
      if (!is_json)
        progress.Show(status.value("percent", 0.0), ProgressText(status), SystemClock().Now());
      if (stop.WaitFor(kPollInterval)) {
        std::cerr << "\nswitchback: the migration goes on in the server\n";
        return kExitFailed;
      }
      auto next = api.Get("/v1/migration");
      if (!next) return ReportError(next.error(), is_json);
      status = *std::move(next);
    }
  }
  return Finish(status, is_json);
}

int Answer(const ServerApi& api, const Result<Json>& status, const MigrateOptions& options) {
  if (!status) return ReportError(status.error(), options.server.is_json);
  if (options.is_followed) return Follow(api, *status, options.server.is_json);
  return Finish(*status, options.server.is_json);
}

int StartMigration(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  return Answer(*api, api->Send("POST", "/v1/migration/start", Json::object()), options);
}

int ShowMigration(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  return Answer(*api, api->Get("/v1/migration"), options);
}

}  // namespace

void AddMigrateCommand(CLI::App& app, int& exit_code) {
  CLI::App* migrate = app.add_subcommand("migrate", "Fill the unified store from the legacy one");
  migrate->require_subcommand(1);
  migrate->footer(
      "The fill runs inside the server, under live reads and writes, and goes on after a restart.\n"
      "\n"
      "Examples:\n"
      "  switchback migrate start --wait\n"
      "  switchback migrate status --watch");
  auto options = std::make_shared<MigrateOptions>();

  CLI::App* start = migrate->add_subcommand("start", "Begin, or go on where it was interrupted");
  start->add_flag("--wait", options->is_followed, "Wait for the end; exit code 1 if it failed");
  options->server.AddTo(*start);
  start->callback([options, &exit_code] { exit_code = StartMigration(*options); });

  CLI::App* status = migrate->add_subcommand("status", "Show how far it is");
  status->add_flag("--watch", options->is_followed, "Follow it to the end");
  options->server.AddTo(*status);
  status->callback([options, &exit_code] { exit_code = ShowMigration(*options); });
}

}  // namespace switchback
