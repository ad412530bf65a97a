#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/event_parser.hpp"
#include "server/cli/event_text.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/http/query.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kReconnectInterval{1};

struct EventsOptions {
  ServerOptions server;
  std::string topics;
};

void Print(const ReceivedEvent& event, bool is_json) {
  Json data = Json::parse(event.data, nullptr, false);
  if (is_json) {
    PrintJson({{"id", event.id}, {"event", event.name}, {"data", std::move(data)}});
  } else {
    std::cout << DescribeEvent(event.name, data) << "\n";
  }
  std::cout.flush();
}

// Also when nobody reads what is printed: `switchback events | head`.
bool IsOver(const StopSignal& stop) {
  return stop.has_come() || !std::cout;
}

// Until the stream ends. True when there was one.
Result<bool> FollowOnce(const EventsOptions& options, const StopSignal& stop, EventParser& parser) {
  auto api = ServerApi::Find(options.server);
  if (!api) return Fail(api.error());
  const std::string path =
      options.topics.empty() ? "/v1/events" : "/v1/events?topics=" + PercentEncode(options.topics);
  bool has_come = false;
  const std::string last_id = parser.last_id();
  parser.Reset();
  auto followed = api->Follow(
      path, last_id,
      [&](std::string_view bytes) {
        has_come = true;
        parser.Feed(bytes,
                    [&](const ReceivedEvent& event) { Print(event, options.server.is_json); });
      },
      [&] { return IsOver(stop); });
  if (!followed && !has_come) return Fail(followed.error());
  return has_come;
}

// A server that goes away while it is watched is waited for: a restart is what one wants to see.
int FollowEvents(const EventsOptions& options) {
  StopSignal stop;
  EventParser parser;
  bool has_ever_come = false;
  do {
    const auto followed = FollowOnce(options, stop, parser);
    if (IsOver(stop)) break;
    const bool may_come_back = followed || followed.error().code == ErrorCode::kUnavailable;
    if (!has_ever_come && !followed) return ReportError(followed.error(), options.server.is_json);
    if (!may_come_back) return ReportError(followed.error(), options.server.is_json);
    if (followed) std::cerr << "switchback: the server has gone: waiting for it\n";
    has_ever_come = true;
  } while (!stop.WaitFor(kReconnectInterval));
  return kExitDone;
}

}  // namespace

void AddEventsCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("events", "Print what happens as it happens, until interrupted");
  auto options = std::make_shared<EventsOptions>();
  command->add_option("--topics", options->topics,
                      "Only these, with commas between: backup, flags, follower, migration, "
                      "operation, restore, schema, verify [all]");
  options->server.AddTo(*command);
  command->footer(
      "Examples:\n"
      "  switchback events --data-dir /var/lib/app\n"
      "  switchback events --topics backup,restore --json\n"
      "After a restart of the server it goes on by itself.");
  command->callback([options, &exit_code] { exit_code = FollowEvents(*options); });
}

}  // namespace switchback
