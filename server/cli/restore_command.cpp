#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/cli/backup_follow.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/http/query.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    "The stores of the backup are unpacked and checked beside those in use, a backup of what is\n"
    "there now is made, and the server goes over to them while clients wait for some tens of\n"
    "milliseconds. What was in use before stays where it is: --undo goes back to it.\n"
    "\n"
    "Examples:\n"
    "  switchback restore 20260101T120000Z-1a2b --dry-run\n"
    "  switchback restore 20260101T120000Z-1a2b --yes\n"
    "  switchback restore --to-time 2026-01-31T12:00:00Z --dry-run\n"
    "  switchback restore --undo --yes\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 refused.";

struct RestoreCommandOptions {
  ServerOptions server;
  std::string id;
  std::string from;
  std::string reason;
  std::string actor;
  std::string to_time;
  std::optional<std::uint64_t> to_sequence;
  bool is_undo = false;
  bool is_foreign = false;
  bool is_without_safety_backup = false;
  bool is_dry_run = false;
  bool is_yes = false;
};

std::string PathOf(const RestoreCommandOptions& options) {
  if (options.is_undo) return "/v1/restore/undo";
  return options.id.empty() ? "/v1/restore"
                            : "/v1/backups/" + PercentEncode(options.id) + "/restore";
}

Json BodyOf(const RestoreCommandOptions& options) {
  Json body{{"actor", options.actor.empty() ? LocalUser() : options.actor}};
  if (!options.reason.empty()) body["reason"] = options.reason;
  if (!options.from.empty()) body["from"] = options.from;
  if (!options.to_time.empty()) body["to_time"] = options.to_time;
  if (options.to_sequence) body["to_sequence"] = *options.to_sequence;
  if (options.is_foreign) body["foreign"] = true;
  if (options.is_without_safety_backup) body["no_safety_backup"] = true;
  return body;
}

void PrintPlan(const Json& plan) {
  const std::string id = plan.value("id", "");
  std::cout << (id.empty() ? "go back to the generation before" : "restore backup " + id) << "\n";
  int number = 0;
  for (const Json& step : plan.value("steps", Json::array()))
    std::cout << "  " << ++number << ". " << step.get<std::string>() << "\n";
  for (const Json& warning : plan.value("warnings", Json::array()))
    std::cout << "  ! " << warning.get<std::string>() << "\n";
}

bool IsConfirmed(const RestoreCommandOptions& options) {
  if (options.is_yes) return true;
  if (!IsTerminal() || options.server.is_json) return false;
  std::cout << "Type \"yes\" to go on: " << std::flush;
  std::string line;
  return std::getline(std::cin, line) && line == "yes";
}

int RunRestore(const RestoreCommandOptions& options) {
  const bool is_json = options.server.is_json;
  const bool has_moment = options.to_sequence || !options.to_time.empty();
  const bool has_goal = has_moment || !options.id.empty();
  if (options.is_undo == has_goal)
    return ReportError(
        {ErrorCode::kInvalidArgument,
         "name a backup, or a moment with --to-time or --to-sequence, or say --undo"},
        is_json);
  const auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  Json body = BodyOf(options);
  body["dry_run"] = true;
  const auto plan = api->Send("POST", PathOf(options), body);
  if (!plan) return ReportError(plan.error(), is_json);
  if (!is_json) PrintPlan(*plan);
  if (options.is_dry_run) {
    if (is_json) PrintJson(*plan);
    return kExitDone;
  }
  if (!IsConfirmed(options))
    return ReportError({ErrorCode::kRefused, "nothing was done: say --yes to go on"}, is_json);
  body["dry_run"] = false;
  body["confirm"] = true;
  auto begun = api->Send("POST", PathOf(options), body);
  if (!begun) return ReportError(begun.error(), is_json);
  const auto ended = FollowBackup(*api, *begun, is_json);
  if (!ended) return ReportError(ended.error(), is_json);
  if (ended->value("state", "") == "failed") return ReportError(BackupErrorOf(*ended), is_json);
  if (is_json) {
    PrintJson(*ended);
  } else {
    std::cout << "done. `switchback restore --undo` goes back to "
              << plan->value("generation", "what was in use") << "\n";
  }
  return kExitDone;
}

}  // namespace

namespace {

void AddRestore(CLI::App& app, const char* name, const char* summary, int& exit_code) {
  CLI::App* restore = app.add_subcommand(name, summary);
  const auto options = std::make_shared<RestoreCommandOptions>();
  restore->footer(kFooter);
  restore->add_option("ID", options->id, "The backup, as `backup list` shows it");
  restore->add_flag("--undo", options->is_undo, "Go back to what was in use before the restore");
  restore->add_option(
      "--to-time", options->to_time,
      "Go on from the backup (none named: the nearest one) by the log to that time, "
      "like 2026-01-31T12:00:00Z");
  restore->add_option("--to-sequence", options->to_sequence, "The same, to that batch of the log");
  restore->add_option("--from", options->from, "Make both stores from this half alone")
      ->check(CLI::IsMember({"legacy", "unified"}));
  restore->add_flag("--foreign", options->is_foreign, "A backup of another data directory");
  restore->add_flag("--no-safety-backup", options->is_without_safety_backup,
                    "Go on although no backup of what is there now can be made");
  restore->add_flag("--dry-run", options->is_dry_run, "Only show what would be done");
  restore->add_flag("--yes", options->is_yes, "Don't ask");
  restore->add_option("--reason", options->reason, "Why, for the history");
  restore->add_option("--actor", options->actor, "Who asks for it, for the history");
  options->server.AddTo(*restore);
  restore->callback([options, &exit_code] { exit_code = RunRestore(*options); });
}

}  // namespace

void AddRestoreCommand(CLI::App& app, int& exit_code) {
  AddRestore(app, "restore", "Go back to a backup, or back from one", exit_code);
}

void AddRollbackToBackup(CLI::App& rollback, int& exit_code) {
  AddRestore(rollback, "to-backup", "Go back to a backup: the same as `restore`", exit_code);
}

}  // namespace switchback
