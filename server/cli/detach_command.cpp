#include <unistd.h>

#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "server/cli/commands.hpp"
#include "server/cli/offline.hpp"
#include "server/cli/offline_history.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct DetachOptions {
  std::string data_dir;
  bool is_forced = false;
  bool is_confirmed = false;
  bool is_json = false;
};

// Asks the person at the terminal. Without one only --yes counts.
bool Confirm(const DetachOptions& options) {
  if (options.is_confirmed) return true;
  if (::isatty(STDIN_FILENO) != 1) return false;
  std::cerr << "Remove every trace of Switchback from the stores of " << options.data_dir
            << "? Type yes: ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes";
}

int ReportRefusal(const Error& error, bool is_json) {
  const int code = ReportError(error, is_json);
  // A server that has the directory is what the safety check is for.
  return error.code == ErrorCode::kConflict ? kExitRefused : code;
}

int Detach(const DetachOptions& options) {
  if (!Confirm(options))
    return ReportError({ErrorCode::kRefused, "not confirmed: say --yes to detach"},
                       options.is_json);
  auto service = OpenOffline(options.data_dir);
  if (!service) return ReportRefusal(service.error(), options.is_json);
  const ServiceStatus status = (*service)->GetStatus();
  if (auto detached = (*service)->Detach(options.is_forced); !detached)
    return ReportRefusal(detached.error(), options.is_json);
  NoteInHistory(options.data_dir, "detach", "after batch " + std::to_string(status.last_sequence));
  Json document{{"detached", true}, {"last_sequence", status.last_sequence}};
  for (const Role role : kRoles)
    document["stores"][RoleName(role)] = status.followers[Index(role)].path;
  if (options.is_json) {
    PrintJson(document);
    return kExitDone;
  }
  std::cout << "detached: these hold the records and nothing else\n";
  for (const Role role : kRoles)
    std::cout << "  " << RoleName(role) << "  " << status.followers[Index(role)].path << "\n";
  return kExitDone;
}

}  // namespace

void AddDetachCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("detach", "Leave both stores as if Switchback had never been there");
  auto options = std::make_shared<DetachOptions>();
  command->add_option("--data-dir", options->data_dir, "The data directory")->required();
  command->add_flag("--force", options->is_forced,
                    "Also when a store is not in sync: it stays incomplete");
  command->add_flag("--yes", options->is_confirmed, "Do not ask");
  AddJsonOption(*command, options->is_json);
  command->footer(
      "Refused (exit code 3) while a server runs on the directory, and when a store is not in\n"
      "sync. Afterwards the directory cannot be served any more; the stores can be used by "
      "others.\n"
      "\n"
      "Example:\n  switchback detach --data-dir /var/lib/app --yes");
  command->callback([options, &exit_code] { exit_code = Detach(*options); });
}

}  // namespace switchback
