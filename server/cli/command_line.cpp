#include "server/cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "server/cli/commands.hpp"
#include "server/cli/token_command.hpp"
#include "server/errors.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  switchback serve --data-dir /var/lib/app\n"
    "  switchback migrate start --wait\n"
    "  switchback flags set USE_UNIFIED_DB_SERVICE true --percentage 25 --data-dir /var/lib/app\n"
    "  switchback status\n"
    "\n"
    "Commands that talk to a server find it by --url, by --data-dir, by SWITCHBACK_URL, or at\n"
    "http://127.0.0.1:8080, in this order. SWITCHBACK_TOKEN holds the token if it asks for one.\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 refused by a safety check.";

void AddCommands(CLI::App& app, int& exit_code) {
  AddServeCommand(app, exit_code);
  AddFlagsCommand(app, exit_code);
  AddStatusCommand(app, exit_code);
  AddTopCommand(app, exit_code);
  AddEventsCommand(app, exit_code);
  AddMigrateCommand(app, exit_code);
  AddRolloutCommand(app, exit_code);
  AddVerifyCommand(app, exit_code);
  AddSchemaCommand(app, exit_code);
  AddSqlCommand(app, exit_code);
  AddExportCommand(app, exit_code);
  AddImportCommand(app, exit_code);
  AddBackupCommand(app, exit_code);
  AddRestoreCommand(app, exit_code);
  AddRollbackCommand(app, exit_code);
  AddNotifyCommand(app, exit_code);
  AddHistoryCommand(app, exit_code);
  AddBenchCommand(app, exit_code);
  AddDrainCommand(app, exit_code);
  AddDetachCommand(app, exit_code);
  AddDoctorCommand(app, exit_code);
  AddTokenCommand(app, exit_code);
  AddCompletionCommand(app, exit_code);
  AddManCommand(app, exit_code);
}

// CLI11 reports everything by exceptions and has exit codes of its own; both end here.
int Parse(CLI::App& app, int argc, const char* const* argv, const int& exit_code) {
  try {
    app.parse(argc, argv);
    return exit_code;
  } catch (const CLI::ParseError& error) {
    const bool is_question = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    app.exit(error, std::cout, std::cerr);
    return is_question ? kExitDone : kExitUsage;
  }
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv) {
  int exit_code = kExitDone;
  try {
    CLI::App app("Moves a live service from LMDB to SQLite, and back, without losing a write.",
                 "switchback");
    app.set_version_flag("--version", "switchback " + std::string(kVersion));
    app.footer(kFooter);
    app.require_subcommand(1);
    AddCommands(app, exit_code);
    return Parse(app, argc, argv, exit_code);
  } catch (const std::exception& error) {
    std::cerr << "switchback: " << error.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace switchback
