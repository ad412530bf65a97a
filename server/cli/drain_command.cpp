#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/offline.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/http/control_plane.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct DrainOptions {
  ServerOptions server;
  int wait_seconds_max = 60;
};

std::chrono::milliseconds WaitMax(const DrainOptions& options) {
  return std::chrono::seconds(options.wait_seconds_max);
}

Result<Json> DrainServer(const DrainOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return Fail(api.error());
  return api->Send("POST", "/v1/drain", {{"wait_ms_max", WaitMax(options).count()}},
                   WaitMax(options) + std::chrono::seconds(10));
}

Result<Json> DrainDirectory(const DrainOptions& options) {
  auto service = OpenOffline(options.server.data_dir);
  if (!service) return Fail(service.error());
  SB_RETURN_IF_ERROR((*service)->Drain(WaitMax(options)));
  const std::uint64_t sequence = (*service)->GetStatus().last_sequence;
  SB_RETURN_IF_ERROR((*service)->Close());
  return Json{{"drained", true}, {"last_sequence", sequence}};
}

int Drain(const DrainOptions& options) {
  auto drained = DrainServer(options);
  const bool is_alone = !drained && drained.error().code == ErrorCode::kUnavailable;
  if (is_alone && options.server.url.empty() && !options.server.data_dir.empty())
    drained = DrainDirectory(options);
  if (!drained) return ReportError(drained.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*drained);
  } else {
    std::cout << "drained: both stores hold everything up to batch "
              << FormatCount(drained->value("last_sequence", std::uint64_t{0})) << "\n";
  }
  return kExitDone;
}

}  // namespace

void AddDrainCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("drain", "Make both stores complete and durable on their own");
  auto options = std::make_shared<DrainOptions>();
  options->server.AddTo(*command);
  command->add_option("--wait-max", options->wait_seconds_max, "Seconds to wait at most [60]")
      ->check(CLI::Range(0, static_cast<int>(kDrainWaitMax.count() / 1000)));
  command->footer(
      "A running server does it and goes on serving. Without one, --data-dir is opened for it.\n"
      "\n"
      "Example:\n  switchback drain --data-dir /var/lib/app");
  command->callback([options, &exit_code] { exit_code = Drain(*options); });
}

}  // namespace switchback
