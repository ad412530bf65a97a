#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/status_table.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

int ShowStatus(const ServerOptions& options) {
  auto api = ServerApi::Find(options);
  if (!api) return ReportError(api.error(), options.is_json);
  auto status = api->Get("/v1/status");
  if (!status) return ReportError(status.error(), options.is_json);
  if (options.is_json) {
    PrintJson(*status);
  } else {
    std::cout << StatusTable(*status);
  }
  return kExitDone;
}

}  // namespace

void AddStatusCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("status", "Show stage, routing, both stores and the main figures");
  auto options = std::make_shared<ServerOptions>();
  options->AddTo(*command);
  command->footer("Example:\n  switchback status --data-dir /var/lib/app");
  command->callback([options, &exit_code] { exit_code = ShowStatus(*options); });
}

}  // namespace switchback
