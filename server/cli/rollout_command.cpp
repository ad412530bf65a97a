#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <map>
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

constexpr std::chrono::milliseconds kPollInterval{200};

struct RolloutOptions {
  ServerOptions server;
  std::vector<double> steps;
  double interval_seconds = 600;
  std::uint64_t operations_min = 1000;
  std::string reason;
  bool is_dry_run = false;
  bool is_to_zero = false;
  bool is_followed = false;
};

bool IsUnderWay(const std::string& state) {
  return state == "running" || state == "paused" || state == "aborting";
}

std::string Percentage(const Json& document, const char* name) {
  return FormatPercent(document.value(name, 0.0)) + " %";
}

std::string ProgressText(const Json& status) {
  std::string text =
      fmt::format("step {} of {}: {}, {} of {}, {} of {} reads", status.value("step", 0),
                  status.value("step_count", 0), Percentage(status, "percentage"),
                  FormatSeconds(status.value("elapsed_seconds", 0.0)),
                  FormatSeconds(status.value("interval_seconds", 0.0)),
                  FormatCount(status.value("operations", 0ull)),
                  FormatCount(status.value("operations_min", 0ull)));
  if (status.value("state", "") == "paused") text += ", paused";
  const std::string hold = status.value("hold", "");
  if (!hold.empty()) text += "  (waits: " + hold + ")";
  return text;
}

void PrintIf(const Json& status, const char* name, const char* label) {
  const std::string text = status.value(name, "");
  if (!text.empty()) std::cout << label << ": " << text << "\n";
}

std::string StepList(const Json& status) {
  std::string text;
  for (const Json& step : status.value("steps", Json::array())) {
    const bool is_current = step.value("state", "") == "running";
    text += fmt::format("{}{}{}{}", text.empty() ? "" : " ", is_current ? "[" : "",
                        FormatPercent(step.value("percentage", 0.0)), is_current ? "]" : "");
  }
  return text;
}

void PrintRouting(const Json& status) {
  std::cout << "the file asks for " << Percentage(status, "desired_percentage")
            << " of the keys, in effect are " << Percentage(status, "effective_percentage") << "\n";
  if (status.value("state", "") == "aborted" && status.value("desired_percentage", 0.0) > 0 &&
      status.value("effective_percentage", 0.0) == 0)
    std::cout << "the share comes into effect again when the guard is let go: `switchback rollout "
                 "abort` takes it back before that\n";
}

void PrintStatus(const Json& status) {
  const std::string state = status.value("state", "");
  std::cout << "rollout: " << state;
  if (IsUnderWay(state)) std::cout << ", " << ProgressText(status);
  std::cout << "\n";
  if (status.contains("steps")) {
    std::cout << "steps: " << StepList(status) << "\n"
              << "begun: " << status.value("started_at", "") << " by " << status.value("actor", "")
              << "\n";
    PrintIf(status, "ended_at", "ended");
    PrintIf(status, "reason", "reason");
    PrintIf(status, "note", "note");
  }
  const Json eta = status.value("eta_seconds", Json());
  if (eta.is_number() && state == "running")
    std::cout << "at least " << FormatSeconds(eta.get<double>()) << " to go\n";
  PrintRouting(status);
}

void PrintPlan(const Json& plan) {
  std::cout << "dry run: nothing is changed; from " << Percentage(plan, "before_percentage")
            << ", each step at least " << FormatSeconds(plan.value("interval_seconds", 0.0))
            << " and " << FormatCount(plan.value("operations_min", 0ull)) << " reads\n";
  for (const Json& step : plan.value("steps", Json::array()))
    std::cout << fmt::format("  {:>8}  {} .. {}\n", Percentage(step, "percentage"),
                             step.value("begins_at", ""), step.value("ends_at", ""));
  for (const Json& warning : plan.value("warnings", Json::array()))
    std::cout << "warning: " << warning.get<std::string>() << "\n";
  for (const Json& refusal : plan.value("refusals", Json::array()))
    std::cout << "refused: " << refusal.get<std::string>() << "\n";
}

int Finish(const Json& status, bool is_json, bool is_judged) {
  if (is_json) {
    PrintJson(status);
  } else {
    PrintStatus(status);
  }
  const std::string state = status.value("state", "");
  return is_judged && (state == "aborted" || state == "stopped-by-edit") ? kExitFailed : kExitDone;
}

// Follows it to its end. SIGINT ends the following, never the rollout.
int Follow(const ServerApi& api, Json status, bool is_json) {
  StopSignal stop;
  {
    Progress progress(std::cout, IsTerminal());
    while (IsUnderWay(status.value("state", ""))) {
      if (!is_json)
        progress.Show(status.value("percent", 0.0), ProgressText(status), SystemClock().Now());
      if (stop.WaitFor(kPollInterval)) {
        std::cerr << "\nswitchback: the rollout goes on in the server\n";
        return kExitFailed;
      }
      auto next = api.Get("/v1/rollout");
      if (!next) return ReportError(next.error(), is_json);
      status = *std::move(next);
    }
  }
  return Finish(status, is_json, true);
}

int Start(const RolloutOptions& options) {
  const bool is_json = options.server.is_json;
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  const Json body{{"steps", options.steps},
                  {"interval_seconds", options.interval_seconds},
                  {"operations_min", options.operations_min},
                  {"dry_run", options.is_dry_run},
                  {"actor", LocalUser()},
                  {"reason", options.reason}};
  auto answer = api->Send("POST", "/v1/rollout/start", body);
  if (!answer) return ReportError(answer.error(), is_json);
  if (options.is_followed && !options.is_dry_run) return Follow(*api, *answer, is_json);
  if (!options.is_dry_run) return Finish(*answer, is_json, false);
  if (is_json) {
    PrintJson(*answer);
  } else {
    PrintPlan(*answer);
  }
  return answer->value("refusals", Json::array()).empty() ? kExitDone : kExitRefused;
}

int Act(const RolloutOptions& options, const std::string& action) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  Json body{{"actor", LocalUser()}, {"reason", options.reason}};
  if (options.is_to_zero) body["to_zero"] = true;
  auto status = api->Send("POST", "/v1/rollout/" + action, body);
  if (!status) return ReportError(status.error(), options.server.is_json);
  return Finish(*status, options.server.is_json, false);
}

int Show(const RolloutOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  auto status = api->Get("/v1/rollout");
  if (!status) return ReportError(status.error(), options.server.is_json);
  if (options.is_followed) return Follow(*api, *status, options.server.is_json);
  return Finish(*status, options.server.is_json, false);
}

using Options = std::shared_ptr<RolloutOptions>;

void AddStart(CLI::App& rollout, const Options& options, int& exit_code) {
  const std::map<std::string, double> units{{"ms", 0.001}, {"s", 1},    {"m", 60},
                                            {"min", 60},   {"h", 3600}, {"d", 86400}};
  CLI::App* start = rollout.add_subcommand("start", "Begin a rollout");
  start
      ->add_option("--steps", options->steps,
                   "Percentages, each more than the one before: 1,5,25,50,100")
      ->delimiter(',')
      ->required();
  start->add_option("--interval", options->interval_seconds, "How long a step lasts: 90s, 10m, 1h")
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_OPTIONAL, "TIME"))
      ->option_text("TIME [10m]")
      ->default_str("10m");
  start
      ->add_option("--min-operations", options->operations_min,
                   "Reads that unified has to answer without an error in each step")
      ->capture_default_str();
  start->add_flag("--dry-run", options->is_dry_run,
                  "Show the steps with their times, and what would refuse it (exit code 3)");
  start->add_flag("--wait", options->is_followed,
                  "Follow it to its end; exit code 1 unless it got there");
  start->add_option("--reason", options->reason, "Why, for the journal");
  options->server.AddTo(*start);
  start->callback([options, &exit_code] { exit_code = Start(*options); });
}

CLI::App* AddAction(CLI::App& rollout, const Options& options, int& exit_code,
                    const std::string& name, const char* text) {
  CLI::App* action = rollout.add_subcommand(name, text);
  options->server.AddTo(*action);
  action->callback([options, name, &exit_code] { exit_code = Act(*options, name); });
  return action;
}

}  // namespace

void AddRolloutCommand(CLI::App& app, int& exit_code) {
  CLI::App* rollout = app.add_subcommand("rollout", "Raise the flag's share step by step");
  rollout->require_subcommand(1);
  rollout->footer(
      "The server writes each share into the flags file. A step lasts its interval and takes its\n"
      "reads; the guard holds it, or ends it when it trips. It goes on after a restart. Whoever\n"
      "edits the flag meanwhile takes it over: the rollout stops and never writes again.\n"
      "\n"
      "Examples:\n"
      "  switchback rollout start --steps 1,5,25,50,100 --interval 10m --dry-run\n"
      "  switchback rollout start --steps 1,5,25,50,100 --interval 10m --wait\n"
      "  switchback rollout abort --reason 'too slow today'");
  auto options = std::make_shared<RolloutOptions>();
  AddStart(*rollout, options, exit_code);
  CLI::App* status = rollout->add_subcommand("status", "Show how far it is");
  status->add_flag("--watch", options->is_followed, "Follow it to the end");
  options->server.AddTo(*status);
  status->callback([options, &exit_code] { exit_code = Show(*options); });
  AddAction(*rollout, options, exit_code, "pause", "Stay at the share that is in force");
  AddAction(*rollout, options, exit_code, "resume", "Go on with the step that was paused");
  AddAction(*rollout, options, exit_code, "promote",
            "Go to the next step at once, also when it is paused; says what was skipped");
  CLI::App* abort = AddAction(*rollout, options, exit_code, "abort",
                              "End it and go back to the share of before it began");
  abort->add_flag("--to-zero", options->is_to_zero,
                  "Switch the flag off instead: every key to "
                  "legacy");
  abort->add_option("--reason", options->reason, "Why, for the journal");
  abort->footer(
      "The flag becomes what it was before the rollout began: on at the same share, or off. After\n"
      "the guard has ended a rollout this takes the share back that would be in force again once\n"
      "the guard is let go. Refused when somebody else has changed the flag.");
}

}  // namespace switchback
