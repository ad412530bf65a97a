#include <fmt/format.h>

#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "migration/migration_settings.hpp"
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
  bool is_reverse = false;
  bool is_unverified = false;
  bool is_not_backed_up = false;
  bool is_yes = false;
  std::string reason;
  std::vector<std::string> collections;
  std::vector<std::string> settings;  // NAME=VALUE
};

bool IsUnderWay(const std::string& state) {
  return state == "running" || state == "rolling-back" || state == "completing";
}

std::string ProgressText(const Json& status) {
  if (status.value("state", "") == "rolling-back" && status["rollback"].is_object()) {
    const Json& rollback = status["rollback"];
    return fmt::format("rolling back: step {} of {}, {}", rollback.value("step_index", 0),
                       rollback.value("step_count", 0), rollback.value("step", ""));
  }
  if (status.value("state", "") == "rolling-back") return "rolling back";
  if (status.value("phase", "") == "verifying") return "comparing both stores";
  if (status.value("state", "") == "completing") return "comparing both stores once more";
  const std::string waiting = status.value("waiting", "");
  if (status.value("records_done", 0ull) == 0 && !waiting.empty()) return "waits " + waiting;
  std::string text = fmt::format(
      "{} of {} records, {} a second, {}/s", FormatCount(status.value("records_done", 0ull)),
      FormatCount(status.value("records_total", 0ull)),
      FormatCount(static_cast<std::uint64_t>(status.value("records_per_second", 0.0))),
      FormatBytes(static_cast<std::uint64_t>(status.value("bytes_per_second", 0.0))));
  const Json eta = status.value("eta_seconds", Json());
  if (eta.is_number()) text += ", " + FormatSeconds(eta.get<double>()) + " left";
  const std::string collection = status.value("current_collection", "");
  if (!collection.empty()) text += "  " + collection;
  const std::string error = status.value("error", "");
  if (!error.empty()) text += "  (" + error + ")";
  return text;
}

double PercentOf(const Json& status) {
  const bool is_back =
      status.value("state", "") == "rolling-back" && status["rollback"].is_object();
  return is_back ? status["rollback"].value("percent", 0.0) : status.value("percent", 0.0);
}

void PrintIf(const Json& status, const char* name, const char* label) {
  const std::string text = status.value(name, "");
  if (!text.empty()) std::cout << label << ": " << text << "\n";
}

void PrintAnswer(const Json& status, const std::string& name, const char* yes, const char* no) {
  if (!status.contains(name)) return;  // an older server
  if (status.value(name, false)) {
    std::cout << yes << "\n";
  } else {
    std::cout << no << ": " << status.value(name + "_reason", "") << "\n";
  }
}

// What slows the copy, with its value and its limit.
void PrintThrottle(const Json& status) {
  const Json throttle = status.value("throttle", Json::object());
  if (throttle.value("pace", 1.0) >= 1) return;
  std::cout << "throttled to " << FormatPercent(throttle.value("pace", 1.0) * 100)
            << " % of the time";
  for (const Json& signal : throttle.value("signals", Json::array())) {
    if (!signal.value("is_limiting", false)) continue;
    std::cout << ", " << signal.value("signal", "") << " is " << signal["value"].dump()
              << ", limit " << signal["limit"].dump();
  }
  std::cout << "\n";
}

void PrintVerify(const Json& status) {
  const Json verify = status.value("verify", Json::object());
  const std::string outcome = verify.value("outcome", "");
  if (outcome.empty()) return;
  std::cout << "verified: " << outcome << " at " << verify.value("at", "") << ", "
            << FormatCount(verify.value("records", 0ull)) << " records, "
            << FormatCount(verify.value("differences", 0ull)) << " differences\n";
}

void PrintStatus(const Json& status) {
  const std::string state = status.value("state", "");
  std::cout << "migration: " << state;
  if (IsUnderWay(state)) std::cout << ", " << FormatPercent(PercentOf(status)) << " %";
  if (IsUnderWay(state) && status.value("records_total", 0ull) > 0)
    std::cout << ", " << ProgressText(status);
  if (!IsUnderWay(state) && status.value("records_total", 0ull) > 0)
    std::cout << ", " << FormatCount(status.value("records_done", 0ull)) << " of "
              << FormatCount(status.value("records_total", 0ull)) << " records";
  std::cout << "\n";
  const std::string actor = status.value("actor", "");
  if (!status.value("started_at", "").empty())
    std::cout << "begun: " << status.value("started_at", "")
              << (actor.empty() ? "" : " by " + actor) << "\n";
  if (const Json collections = status.value("collections", Json()); collections.is_array())
    std::cout << "collections: "
              << fmt::format("{}", fmt::join(collections.get<std::vector<std::string>>(), ", "))
              << " (legacy alone has the others)\n";
  PrintIf(status, "error", "error");
  PrintIf(status, "waiting", "waiting");
  PrintIf(status, "note", "note");
  PrintIf(status, "last_result", "before");
  PrintIf(status, "kept_legacy", "legacy is kept at");
  if (status.value("invalid_records", 0ull) > 0)
    std::cout << "invalid records: " << FormatCount(status.value("invalid_records", 0ull)) << "\n";
  if (state == "running") PrintThrottle(status);
  PrintVerify(status);
  PrintAnswer(status, "can_flip", "the flag may be switched on",
              "the flag may not be switched on yet");
  PrintAnswer(status, "can_roll_back", "it can be rolled back", "it cannot be rolled back");
  PrintAnswer(status, "can_complete", "legacy can be let go (`switchback migrate complete`)",
              "legacy cannot be let go yet");
}

int Finish(const Json& status, bool is_json, bool is_way_back) {
  if (is_json) {
    PrintJson(status);
  } else {
    PrintStatus(status);
  }
  const std::string state = status.value("state", "");
  const bool is_undone = state == "rolled-back" && !is_way_back;
  return state == "failed" || state == "locked" || is_undone ? kExitFailed : kExitDone;
}

// Follows a migration to its end. SIGINT ends the following, never the migration.
int Follow(const ServerApi& api, Json status, bool is_json, bool is_way_back) {
  StopSignal stop;
  {
    Progress progress(std::cout, IsTerminal());
    while (IsUnderWay(status.value("state", ""))) {
      if (!is_json) progress.Show(PercentOf(status), ProgressText(status), SystemClock().Now());
      if (stop.WaitFor(kPollInterval)) {
        std::cerr << "\nswitchback: the migration goes on in the server\n";
        return kExitFailed;
      }
      auto next = api.Get("/v1/migration");
      if (!next) return ReportError(next.error(), is_json);
      status = *std::move(next);
    }
  }
  return Finish(status, is_json, is_way_back);
}

int Answer(const ServerApi& api, const Result<Json>& status, const MigrateOptions& options,
           bool is_way_back = false) {
  if (!status) return ReportError(status.error(), options.server.is_json);
  if (options.is_followed) return Follow(api, *status, options.server.is_json, is_way_back);
  return Finish(*status, options.server.is_json, is_way_back || !options.is_followed);
}

// "1.5", "true", "7" as JSON; anything else as it is, for the server to refuse by name.
Result<Json> ParseSettings(const std::vector<std::string>& pairs) {
  Json settings = Json::object();
  for (const std::string& pair : pairs) {
    const std::size_t mark = pair.find('=');
    if (mark == std::string::npos || mark == 0)
      return Fail(ErrorCode::kInvalidArgument, "\"" + pair + "\" is not NAME=VALUE");
    const std::string value = pair.substr(mark + 1);
    const Json parsed = Json::parse(value, nullptr, false);
    settings[pair.substr(0, mark)] = parsed.is_discarded() ? Json(value) : parsed;
  }
  return settings;
}

Json BodyOf(const MigrateOptions& options) {
  Json body{{"actor", LocalUser()}};
  if (!options.reason.empty()) body["reason"] = options.reason;
  return body;
}

int StartMigration(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto settings = ParseSettings(options.settings);
  if (!settings) return ReportError(settings.error(), options.server.is_json);
  if (options.is_unverified) (*settings)["is_verified_after"] = false;
  if (options.is_not_backed_up) (*settings)["is_backed_up_before"] = false;
  Json body = BodyOf(options);
  body["reverse"] = options.is_reverse;
  if (!options.collections.empty()) body["collections"] = options.collections;
  body["settings"] = *settings;
  return Answer(*api, api->Send("POST", "/v1/migration/start", body), options);
}

int Act(const MigrateOptions& options, const std::string& action) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  const bool is_way_back = action == "cancel" || action == "abandon";
  return Answer(*api, api->Send("POST", "/v1/migration/" + action, BodyOf(options)), options,
                is_way_back);
}

// Yes from a person at a terminal, or --yes.
bool IsConfirmed(const MigrateOptions& options) {
  if (options.is_yes) return true;
  if (!IsTerminal() || options.server.is_json) return false;
  std::cout << "Legacy gets no more writes from then on. It is kept where it is, and the way back "
               "is a copy in reverse.\nType \"yes\" to let it go: "
            << std::flush;
  std::string line;
  return std::getline(std::cin, line) && line == "yes";
}

int Complete(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  if (!IsConfirmed(options))
    return ReportError({ErrorCode::kRefused, "legacy is let go only with --yes"},
                       options.server.is_json);
  Json body = BodyOf(options);
  body["confirm"] = true;
  return Answer(*api, api->Send("POST", "/v1/migration/complete", body), options);
}

int ChangeSettings(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto settings = ParseSettings(options.settings);
  if (!settings) return ReportError(settings.error(), options.server.is_json);
  const Json body{{"actor", LocalUser()}, {"settings", *settings}};
  auto status = api->Send("POST", "/v1/migration/settings", body);
  if (!status) return ReportError(status.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson((*status)["settings"]);
  } else {
    for (const auto& [name, value] : (*status)["settings"].items())
      std::cout << name << " = " << value.dump() << "\n";
  }
  return kExitDone;
}

int ShowMigration(const MigrateOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  return Answer(*api, api->Get("/v1/migration"), options);
}

using Options = std::shared_ptr<MigrateOptions>;

void AddStart(CLI::App& migrate, const Options& options, int& exit_code) {
  CLI::App* start = migrate.add_subcommand("start", "Begin a copy, or one in reverse");
  start->add_flag("--wait", options->is_followed, "Wait for the end; exit code 1 if it failed");
  start->add_flag("--reverse", options->is_reverse, "Fill legacy from unified");
  start
      ->add_option("--collections", options->collections,
                   "Copy these only; keys of the others stay with legacy whatever the flag says")
      ->delimiter(',');
  start->add_flag("--no-verify", options->is_unverified,
                  "Don't verify after the copy; flags then wait for `switchback verify`");
  start->add_flag("--no-backup", options->is_not_backed_up, "Don't make a backup before the copy");
  start->add_option("--reason", options->reason, "Why, for the journal");
  start->add_option("--set", options->settings,
                    "NAME=VALUE of a setting; see `migrate set --help`");
  options->server.AddTo(*start);
  start->callback([options, &exit_code] { exit_code = StartMigration(*options); });
}

void AddAction(CLI::App& migrate, const Options& options, int& exit_code, const std::string& name,
               const char* text, bool is_long) {
  CLI::App* action = migrate.add_subcommand(name, text);
  action->add_option("--reason", options->reason, "Why, for the journal");
  if (is_long) action->add_flag("--wait", options->is_followed, "Wait for the end");
  options->server.AddTo(*action);
  action->callback([options, name, &exit_code] { exit_code = Act(*options, name); });
}

void AddComplete(CLI::App& migrate, const Options& options, int& exit_code) {
  CLI::App* complete = migrate.add_subcommand(
      "complete", "Let legacy go, once everything is on unified and verified");
  complete->add_flag("--yes", options->is_yes, "Don't ask");
  complete->add_flag("--wait", options->is_followed, "Wait for the end; exit code 1 if it failed");
  complete->add_option("--reason", options->reason, "Why, for the journal");
  options->server.AddTo(*complete);
  complete->callback([options, &exit_code] { exit_code = Complete(*options); });
}

void AddSet(CLI::App& migrate, const Options& options, int& exit_code) {
  CLI::App* set = migrate.add_subcommand("set", "Change settings, also while it runs");
  set->add_option("SETTING", options->settings, "NAME=VALUE; none shows them all");
  options->server.AddTo(*set);
  std::string footer = "Settings [default]:\n";
  for (const MigrationSettingHelp& help : MigrationSettingsHelp())
    footer += fmt::format("  {:<26} {}\n", help.name, help.text);
  set->footer(footer + "\nExample:\n  switchback migrate set bytes_per_second=20000000");
  set->callback([options, &exit_code] { exit_code = ChangeSettings(*options); });
}

}  // namespace

void AddMigrateCommand(CLI::App& app, int& exit_code) {
  CLI::App* migrate = app.add_subcommand("migrate", "Copy one store into the other, and undo it");
  migrate->require_subcommand(1);
  migrate->footer(
      "The copy runs inside the server, under live reads and writes, and goes on after a restart.\n"
      "It is verified at its end, and can be undone until legacy is let go.\n"
      "\n"
      "Examples:\n"
      "  switchback migrate start --wait\n"
      "  switchback migrate status --watch\n"
      "  switchback migrate cancel --wait --reason 'too slow today'");
  auto options = std::make_shared<MigrateOptions>();
  AddStart(*migrate, options, exit_code);
  AddAction(*migrate, options, exit_code, "pause", "Let the copy stand still", false);
  AddAction(*migrate, options, exit_code, "resume",
            "Go on with a paused copy, or with a way back that is locked", false);
  AddAction(*migrate, options, exit_code, "cancel",
            "Stop a copy and remove what was copied; legacy goes on serving", true);
  AddAction(*migrate, options, exit_code, "abandon",
            "Remove unified although its copy is finished; the flag must be off", true);
  AddComplete(*migrate, options, exit_code);
  AddSet(*migrate, options, exit_code);
  CLI::App* status = migrate->add_subcommand("status", "Show how far it is");
  status->add_flag("--watch", options->is_followed, "Follow it to the end");
  options->server.AddTo(*status);
  status->callback([options, &exit_code] { exit_code = ShowMigration(*options); });
}

}  // namespace switchback
