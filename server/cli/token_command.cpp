#include "server/cli/token_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/access/token_file.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

struct NewOptions {
  std::string name;
  std::string role;
  bool is_json = false;
};

int New(const NewOptions& options) {
  if (!IsTokenName(options.name))
    return ReportError({ErrorCode::kInvalidArgument,
                        "a name has 1 to 64 of the characters A-Z a-z 0-9 _ . @ - and is not "
                        "\"default\""},
                       options.is_json);
  const auto token = NewToken();
  if (!token) return ReportError(token.error(), options.is_json);
  const auto role = ParseAccessRole(options.role).value_or(AccessRole::kViewer);
  const std::string line = TokenFileLine(options.name, role, *token);
  if (options.is_json) {
    PrintJson({{"token", *token}, {"line", nlohmann::ordered_json::parse(line)}});
    return kExitDone;
  }
  std::cout << "token, shown this once: " << *token << "\n"
            << "line for the list \"tokens\" of the tokens_file:\n"
            << line << "\n";
  return kExitDone;
}

constexpr const char* kFooter =
    "viewer    reads: records, status, metrics, history\n"
    "operator  writes records, migrates, rolls out and back, makes backups\n"
    "admin     everything: restores, deletes, changes the schema, FLUSHALL, CONFIG\n"
    "\n"
    "The file that the key tokens_file of the configuration names is\n"
    "  {\"tokens\": [LINE, LINE]}\n"
    "with mode 600; the server notices a change within a second. HTTP takes the token as\n"
    "Authorization: Bearer TOKEN (SWITCHBACK_TOKEN for commands), RESP as AUTH NAME TOKEN.";

}  // namespace

void AddTokenCommand(CLI::App& app, int& exit_code) {
  CLI::App* token = app.add_subcommand("token", "Make named tokens with roles");
  token->require_subcommand(1);
  CLI::App* command = token->add_subcommand("new", "Print a new token, and its line for the file");
  auto options = std::make_shared<NewOptions>();
  command->add_option("name", options->name, "Who it is for; the actor in journal and history")
      ->required();
  command->add_option("--role", options->role, "viewer, operator or admin")
      ->required()
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
  AddJsonOption(*command, options->is_json);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = New(*options); });
}

}  // namespace switchback
