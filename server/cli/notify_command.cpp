#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// Longer than the slowest command of a sink may take.
constexpr std::chrono::seconds kTestWaitMax{330};

constexpr const char* kFooter =
    "Sinks are named in the server's configuration, as \"notifications\".\n"
    "\n"
    "Examples:\n"
    "  switchback notify test\n"
    "  switchback notify test --sink webhook-1\n"
    "  switchback notify status\n"
    "\n"
    "Exit codes: 0 every sink has it, 1 one has not, 2 usage.";

struct NotifyOptions {
  ServerOptions server;
  std::string sink;
};

std::string Text(const Json& document, const char* name) {
  const Json member = document.value(name, Json());
  return member.is_string() ? member.get<std::string>() : "";
}

std::string Count(const Json& document, const char* name) {
  return FormatCount(document.value(name, std::uint64_t{0}));
}

int TestSinks(const NotifyOptions& options) {
  const bool is_json = options.server.is_json;
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  const auto answer =
      api->Send("POST", "/v1/notifications/test", {{"sink", options.sink}}, kTestWaitMax);
  if (!answer) return ReportError(answer.error(), is_json);
  if (is_json) PrintJson(*answer);
  int exit_code = kExitDone;
  for (const Json& result : answer->value("results", Json::array())) {
    const std::string outcome = Text(result, "outcome");
    if (outcome != "delivered") exit_code = kExitFailed;
    if (!is_json)
      std::cout << Text(result, "sink") << ": " << outcome << " (" << Text(result, "text") << ")\n";
  }
  return exit_code;
}

int ShowSinks(const NotifyOptions& options) {
  const bool is_json = options.server.is_json;
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  const auto status = api->Get("/v1/notifications");
  if (!status) return ReportError(status.error(), is_json);
  if (is_json) {
    PrintJson(*status);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& sink : status->value("sinks", Json::array())) {
    const Json last = sink.value("last", Json());
    rows.push_back({Text(sink, "name"), Text(sink, "target"), Count(sink, "waiting"),
                    Count(sink, "delivered"), Count(sink, "refused"), Count(sink, "expired"),
                    Count(sink, "dropped"),
                    last.is_object() ? Text(last, "outcome") + ": " + Text(last, "text") : ""});
  }
  if (rows.empty()) {
    std::cout << "nobody is notified: name sinks as \"notifications\" in the configuration\n";
    return kExitDone;
  }
  std::cout << TextTable(
      {"sink", "target", "waiting", "delivered", "refused", "expired", "dropped", "last attempt"},
      rows);
  return kExitDone;
}

}  // namespace

void AddNotifyCommand(CLI::App& app, int& exit_code) {
  CLI::App* notify = app.add_subcommand("notify", "Test and show who is notified of what happens");
  notify->require_subcommand(1);
  notify->footer(kFooter);
  auto options = std::make_shared<NotifyOptions>();
  CLI::App* test = notify->add_subcommand("test", "Send a test notification and wait for it");
  options->server.AddTo(*test);
  test->add_option("--sink", options->sink, "To this one only [all]");
  test->callback([options, &exit_code] { exit_code = TestSinks(*options); });
  CLI::App* status = notify->add_subcommand("status", "Show sinks, and what waits for them");
  options->server.AddTo(*status);
  status->callback([options, &exit_code] { exit_code = ShowSinks(*options); });
}

}  // namespace switchback
