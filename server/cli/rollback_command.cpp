#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/failpoint.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/full_rollback.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    "Both stores hold every write, so going back loses nothing and takes effect at once.\n"
    "`now` turns the flag off in the flags file as well, keeps evidence, and checks the service\n"
    "afterwards. What the guard has latched stays so until `rearm`.\n"
    "\n"
    "Examples:\n"
    "  switchback rollback check\n"
    "  switchback rollback now --reason 'p99 doubled after the deploy'\n"
    "  switchback rollback rearm 3 --reason 'fixed in 1.4.2'\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 refused.";

struct Options {
  ServerOptions server;
  std::string actor;
  std::string reason;
  std::uint64_t wait_ms = 0;
  std::uint64_t trip = 0;
  std::uint64_t version = 0;
  bool is_waiting = true;

  [[nodiscard]] Json Body() const {
    Json body{{"actor", actor.empty() ? LocalUser() : actor}};
    if (!reason.empty()) body["reason"] = reason;
    return body;
  }
};
using OptionsPtr = std::shared_ptr<Options>;

void PrintLatched(const Json& latched) {
  if (!latched.is_object()) return;
  std::cout << "latched: " << latched.value("cause", "") << " " << latched.value("id", 0) << " at "
            << latched.value("time", "") << ": " << latched.value("reason", "") << "\n"
            << "  `switchback rollback rearm " << latched.value("id", 0)
            << "` lets the flags count again\n";
}

void PrintCheck(const Json& check) {
  if (check.value("can_roll_back", false)) {
    std::cout << "legacy can take every key at once: "
              << FormatPercent(check.value("percentage", 0.0))
              << " % of keys would move, no write would be lost\n";
  } else {
    std::cout << "no: " << check.value("reason", "") << "\n";
  }
  if (check.value("newest_verified_backup", Json()).is_string())
    std::cout << "newest verified backup: " << check["newest_verified_backup"].get<std::string>()
              << "\n";
  PrintLatched(check.value("latched", Json()));
}

void PrintOperation(const Json& operation) {
  if (!operation.is_object()) {
    std::cout << "nothing was rolled back since the server started\n";
    return;
  }
  std::cout << operation.value("kind", "") << " " << operation.value("id", 0) << " by "
            << operation.value("actor", "") << ": " << operation.value("stage", "");
  const std::string final_status = operation.value("final_status", "");
  if (!final_status.empty())
    std::cout << ", " << final_status << " in "
              << FormatMicroseconds(operation.value("total_ms", 0.0) * 1e3);
  std::cout << "\n";
  for (const Json& error : operation.value("errors", Json::array()))
    std::cout << "  ! " << error.get<std::string>() << "\n";
  const std::string evidence = operation.value("evidence", "");
  if (!evidence.empty()) std::cout << "  evidence: " << evidence << "\n";
  const Json validation = operation.value("validation", Json::object());
  for (const Json& check : validation.value("checks", Json::array()))
    std::cout << (check.value("passed", false) ? "  ok  " : "  BAD ") << check.value("name", "")
              << ": " << check.value("detail", "") << "\n";
}

// Sends the request, and prints the answer as JSON or by `print`.
template <class Print>
int Ask(const Options& options, const char* method, const std::string& path, const Json& body,
        const Print& print) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  const auto answer = std::string_view(method) == "GET"
                          ? api->Get(path)
                          : api->Send(method, path, body, std::chrono::seconds(120));
  if (!answer) return ReportError(answer.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*answer);
    return kExitDone;
  }
  return print(*answer);
}

int RunCheck(const Options& options) {
  return Ask(options, "GET", "/v1/rollback/check", {}, [](const Json& check) {
    PrintCheck(check);
    return check.value("can_roll_back", false) ? kExitDone : kExitRefused;
  });
}

// Until the operation that the server has begun has ended.
Result<Json> Follow(const ServerApi& api) {
  constexpr std::chrono::milliseconds kPoll{50};
  while (true) {
    const auto status = api.Get("/v1/rollback");
    if (!status) return status;
    const Json operation = status->value("operation", Json());
    if (operation.is_object() && !operation.value("final_status", "").empty()) return operation;
    std::this_thread::sleep_for(kPoll);
  }
}

int RunNow(const Options& options) {
  const bool is_json = options.server.is_json;
  const auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  Json body = options.Body();
  if (options.wait_ms > 0) body["wait_ms"] = options.wait_ms;
  auto answer = api->Send("POST", "/v1/rollback", body, std::chrono::seconds(90));
  if (!answer) return ReportError(answer.error(), is_json);
  if (!is_json)
    std::cout << "rolled back: no read that began after " << answer->value("effective_at", "")
              << " is answered by unified (it answered for "
              << FormatPercent(answer->value("percentage_before", 0.0)) << " % of keys)\n";
  if (!options.is_waiting) {
    if (is_json) PrintJson(*answer);
    return kExitDone;
  }
  const auto operation = Follow(*api);
  if (!operation) return ReportError(operation.error(), is_json);
  (*answer)["operation"] = *operation;
  if (is_json) {
    PrintJson(*answer);
  } else {
    PrintOperation(*operation);
  }
  return operation->value("final_status", "") == "FAILED" ? kExitFailed : kExitDone;
}

int RunStatus(const Options& options) {
  return Ask(options, "GET", "/v1/rollback", {}, [](const Json& status) {
    PrintCheck(status.value("check", Json::object()));
    PrintOperation(status.value("operation", Json()));
    return kExitDone;
  });
}

int RunValidate(const Options& options) {
  return Ask(options, "POST", "/v1/rollback/validate", options.Body(), [](const Json& status) {
    const Json operation = status.value("operation", Json());
    PrintOperation(operation);
    return operation.is_object() && operation.value("final_status", "") == "SUCCESS" ? kExitDone
                                                                                     : kExitFailed;
  });
}

void PrintGuard(const Json& guard) {
  std::cout << "guard: " << guard.value("state", "") << ", " << guard.value("escalation", "")
            << (guard.value("dry_run", false) ? " (dry run)" : "") << "\n";
  if (const Json proposal = guard.value("proposal", Json()); proposal.is_object()) {
    std::cout << "proposal " << proposal.value("id", 0) << " (" << proposal.value("severity", "")
              << "): " << proposal.value("reason", "") << "\n  " << proposal.value("choices", "");
    if (proposal.value("acts_in_seconds", Json()).is_number())
      std::cout << "; without either it goes back in " << proposal["acts_in_seconds"] << " s";
    std::cout << "\n";
  }
  PrintLatched(guard.value("latched", Json()));
  std::vector<std::vector<std::string>> rows;
  for (const Json& stream : guard.value("streams", Json::array())) {
    const double count = stream.value("count", 0.0);
    rows.push_back(
        {stream.value("stream", ""),
         fmt::format("{:.2f} of {:.2f}", stream.value("sum", 0.0), stream.value("limit", 0.0)),
         fmt::format("{} of {}", stream.value("bad", 0), stream.value("count", 0)),
         count > 0 ? fmt::format("{:.3f} %", 100 * stream.value("bad", 0.0) / count) : "-",
         fmt::format("{:.3f} %", 100 * stream.value("tolerated_rate", 0.0)),
         stream.contains("threshold_us") ? FormatMicroseconds(stream.value("threshold_us", 0.0))
                                         : "-"});
  }
  std::cout << TextTable({"stream", "evidence", "bad", "rate", "tolerated", "slow past"}, rows);
  for (const Json& alert : guard.value("alerts", Json::array()))
    std::cout << alert.value("severity", "") << ": " << alert.value("text", "") << "\n";
}

int RunGuard(const Options& options) {
  return Ask(options, "GET", "/v1/guard", {}, [](const Json& guard) {
    PrintGuard(guard);
    return kExitDone;
  });
}

int RunRearm(const Options& options) {
  Json body = options.Body();
  body["trip"] = options.trip;
  return Ask(options, "POST", "/v1/guard/rearm", body, [](const Json& guard) {
    std::cout << "the flags count again\n";
    PrintGuard(guard);
    return kExitDone;
  });
}

// Confirms or dismisses what the guard proposes now, or only proposal `options.trip`.
int RunDecide(const Options& options, const char* decision) {
  Json body = options.Body();
  body["proposal"] = options.trip;
  if (options.trip == 0) {
    const auto api = ServerApi::Find(options.server);
    if (!api) return ReportError(api.error(), options.server.is_json);
    const auto guard = api->Get("/v1/guard");
    if (!guard) return ReportError(guard.error(), options.server.is_json);
    const Json proposal = guard->value("proposal", Json());
    body["proposal"] = proposal.is_object() ? proposal.value("id", 0) : 0;
  }
  return Ask(options, "POST", std::string("/v1/guard/") + decision, body, [](const Json& guard) {
    PrintGuard(guard);
    return kExitDone;
  });
}
int RunConfirm(const Options& options) {
  return RunDecide(options, "confirm");
}
int RunDismiss(const Options& options) {
  return RunDecide(options, "dismiss");
}

int RunSafeMode(const Options& options) {
  return Ask(options, "GET", "/v1/safe-mode", {}, [](const Json& answer) {
    const Json engaged = answer.value("engaged", Json());
    if (!engaged.is_object()) {
      std::cout << "safe mode is off\n";
      return kExitDone;
    }
    std::cout << "safe mode is on since " << engaged.value("time", "") << ": "
              << engaged.value("reason", "") << "\n  writes are refused, reads go on\n  "
              << engaged.value("detail", Json::object()).value("choices", "") << "\n";
    return kExitRefused;
  });
}

int RunLeaveSafeMode(const Options& options) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), options.server.is_json);
  const auto now = api->Get("/v1/safe-mode");
  if (!now) return ReportError(now.error(), options.server.is_json);
  const Json engaged = now->value("engaged", Json());
  Json body = options.Body();
  body["id"] = engaged.is_object() ? engaged.value("id", 0) : 0;
  return Ask(options, "POST", "/v1/safe-mode/leave", body, [](const Json&) {
    std::cout << "writes are taken again\n";
    return kExitDone;
  });
}

// Everything that can be gone back to, and the command for it.
int RunList(const Options& options) {
  const bool is_json = options.server.is_json;
  const auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  const auto check = api->Get("/v1/rollback/check");
  if (!check) return ReportError(check.error(), is_json);
  Json list = Json::array();
  const auto add = [&](const char* kind, const std::string& what, const std::string& command) {
    list.push_back({{"kind", kind}, {"what", what}, {"command", command}});
  };
  add("flag",
      check->value("can_roll_back", false) ? "every key to legacy, at once, nothing lost"
                                           : "not now: " + check->value("reason", ""),
      "switchback rollback now");
  if (const auto schema = api->Get("/v1/schema"); schema) {
    for (const Json& version : schema->value("versions", Json::array())) {
      if (version.value("state", "") == "applied" || version.value("is_applied", false))
        add("schema", fmt::format("version {}", version.value("version", 0)),
            fmt::format("switchback rollback to-version {}", version.value("version", 0)));
    }
  }
  if (const auto status = api->Get("/v1/status");
      status && !status->value("previous_generation", "").empty())
    add("undo",
        "the stores before the last restore (" + status->value("previous_generation", "") + ")",
        "switchback restore --undo");
  if (const auto backups = api->Get("/v1/backups"); backups) {
    for (const Json& backup : backups->value("backups", Json::array()))
      add("backup", backup.value("id", "") + "  " + backup.value("reason", ""),
          "switchback rollback to-backup " + backup.value("id", ""));
  }
  if (is_json) {
    PrintJson({{"rollbacks", list}});
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& each : list)
    rows.push_back({each.value("kind", ""), each.value("what", ""), each.value("command", "")});
  std::cout << TextTable({"kind", "what", "command"}, rows);
  return kExitDone;
}

int RunToVersion(const Options& options) {
  Json body = options.Body();
  body["version"] = options.version;
  return Ask(options, "POST", "/v1/schema/to", body, [&](const Json&) {
    std::cout << "the schema is at version " << options.version << "\n";
    return kExitDone;
  });
}

struct FullOptions {
  FullRollbackOptions rollback;
  bool is_removing_backups = false;
  bool is_yes = false;
  bool is_json = false;
};

bool IsConfirmed(const FullOptions& options) {
  if (options.is_yes) return true;
  if (!IsTerminal() || options.is_json) return false;
  std::cout << "Remove SQLite and everything of Switchback from " << options.rollback.data_dir
            << ", and leave LMDB? Type \"yes\" to go on: " << std::flush;
  std::string line;
  return std::getline(std::cin, line) && line == "yes";
}

int RunFull(FullOptions options) {
  if (!IsConfirmed(options))
    return ReportError({ErrorCode::kRefused, "nothing was done: say --yes to go on"},
                       options.is_json);
  if (auto set = SetFailpointsFromEnvironment(); !set)
    return ReportError(set.error(), options.is_json);
  options.rollback.is_keeping_backups = !options.is_removing_backups;
  const auto result = RollBackFully(options.rollback);
  if (!result) {
    const int code = ReportError(result.error(), options.is_json);
    return result.error().code == ErrorCode::kConflict ? kExitRefused : code;
  }
  if (options.is_json) {
    PrintJson({{"legacy", result->legacy_path},
               {"records", result->record_count},
               {"compared", result->is_compared},
               {"removed", result->removed}});
    return kExitDone;
  }
  std::cout << result->legacy_path << " is a plain LMDB environment of "
            << FormatCount(result->record_count) << " records"
            << (result->is_compared ? ", the same that SQLite held" : "") << "\n";
  for (const std::string& path : result->removed) std::cout << "  removed " << path << "\n";
  return kExitDone;
}

void AddFull(CLI::App& rollback, int& exit_code) {
  CLI::App* full =
      rollback.add_subcommand("full", "Leave a plain LMDB environment and nothing of Switchback");
  const auto options = std::make_shared<FullOptions>();
  full->add_option("--data-dir", options->rollback.data_dir,
                   "The data directory; stop its server first")
      ->required();
  full->add_option("--flags", options->rollback.flags_path,
                   "The flags file where it is not in the data directory");
  full->add_option("--export", options->rollback.export_dir,
                   "Copy both stores to this directory first");
  full->add_flag("--remove-backups", options->is_removing_backups, "Backups and evidence go, too");
  full->add_flag("--force", options->rollback.is_forced,
                 "Although the stores differ, or SQLite cannot be compared");
  full->add_flag("--yes", options->is_yes, "Don't ask");
  AddJsonOption(*full, options->is_json);
  full->footer(
      "Applies what the log still holds, compares both stores record by record, turns the flag\n"
      "off, takes every trace out of LMDB, looks at it again, and only then removes the rest. A\n"
      "crash at any step: call it again.\n"
      "\n"
      "Example:\n  switchback rollback full --data-dir /var/lib/app --export /mnt/before");
  full->callback([options, &exit_code] { exit_code = RunFull(*options); });
}

CLI::App* Add(CLI::App& rollback, const OptionsPtr& options, const char* name, const char* summary,
              int (*run)(const Options&), int& exit_code) {
  CLI::App* command = rollback.add_subcommand(name, summary);
  options->server.AddTo(*command);
  command->callback([options, run, &exit_code] { exit_code = run(*options); });
  return command;
}

void AddAsked(CLI::App& command, Options& options) {
  command.add_option("--reason", options.reason, "Why, for the history");
  command.add_option("--actor", options.actor, "Who asks for it, for the history");
}

// What waits for a person.
void AddDecisions(CLI::App& rollback, const OptionsPtr& options, int& exit_code) {
  const auto add = [&](const char* name, const char* summary, int (*run)(const Options&)) {
    CLI::App* command = Add(rollback, options, name, summary, run, exit_code);
    command->add_option("PROPOSAL", options->trip, "Its number; default: the one there is");
    AddAsked(*command, *options);
  };
  add("confirm", "Go back to legacy, as the guard proposes", RunConfirm);
  add("dismiss", "Stay, and let the guard begin anew", RunDismiss);
  Add(rollback, options, "safe-mode", "Whether writes are refused because the data is in doubt",
      RunSafeMode, exit_code);
  AddAsked(*Add(rollback, options, "leave-safe-mode", "Take writes again, and check the service",
                RunLeaveSafeMode, exit_code),
           *options);
}

}  // namespace

void AddRollbackCommand(CLI::App& app, int& exit_code) {
  CLI::App* rollback =
      app.add_subcommand("rollback", "Go back, and see what going back would mean");
  rollback->require_subcommand(1);
  rollback->footer(kFooter);
  const auto options = std::make_shared<Options>();
  Add(*rollback, options, "list", "Everything that can be gone back to", RunList, exit_code);
  Add(*rollback, options, "check", "Whether every key could go to legacy now, and what is lost",
      RunCheck, exit_code);
  CLI::App* now = Add(*rollback, options, "now", "Send every key to legacy", RunNow, exit_code);
  AddAsked(*now, *options);
  now->add_option("--wait", options->wait_ms,
                  "Milliseconds to wait for legacy when it is not in sync");
  now->add_flag("!--no-wait", options->is_waiting, "Don't wait for evidence and validation");
  CLI::App* to_version = Add(*rollback, options, "to-version", "Take the schema to that version",
                             RunToVersion, exit_code);
  to_version->add_option("VERSION", options->version, "As `schema status` shows it")->required();
  AddAsked(*to_version, *options);
  Add(*rollback, options, "status", "The rollback at hand, or the newest one", RunStatus,
      exit_code);
  CLI::App* validate =
      Add(*rollback, options, "validate", "Check reads, writes, scans, both stores, latency",
          RunValidate, exit_code);
  AddAsked(*validate, *options);
  Add(*rollback, options, "guard", "What the guard sees, beside its thresholds", RunGuard,
      exit_code);
  CLI::App* rearm =
      Add(*rollback, options, "rearm",
          "Let the flags count again after a trip, which has to be named", RunRearm, exit_code);
  rearm->add_option("TRIP", options->trip, "Its number, as `rollback guard` shows it")->required();
  AddAsked(*rearm, *options);
  AddDecisions(*rollback, options, exit_code);
  AddRollbackToBackup(*rollback, exit_code);
  AddFull(*rollback, exit_code);
}

}  // namespace switchback
