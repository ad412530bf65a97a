#include <CLI/App.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "server/cli/commands.hpp"
#include "server/cli/manual/man_page.hpp"
#include "server/cli/output.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

struct ManOptions {
  std::string command;
  std::string directory;
};

const CommandEntry* FindCommand(const CommandEntry& program, const std::string& name) {
  for (const CommandEntry& command : program.commands)
    if (command.name == name) return &command;
  return nullptr;
}

// Everybody may read a manual, so not as the data's files are written.
Status WritePage(const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << page << std::flush;
  return file ? Status{} : Status(Fail(ErrorCode::kIo, "write " + path));
}

Status WritePages(const CommandEntry& program, const std::string& directory) {
  SB_RETURN_IF_ERROR(WritePage(directory + "/switchback.1", ManualOfProgram(program)));
  for (const CommandEntry& command : program.commands) {
    SB_RETURN_IF_ERROR(
        WritePage(directory + "/switchback-" + command.name + ".1", ManualOfCommand(command)));
  }
  return {};
}

int PrintPage(const CommandEntry& program, const std::string& name) {
  if (name.empty()) {
    std::cout << ManualOfProgram(program) << std::flush;
    return std::cout ? kExitDone : kExitFailed;
  }
  const CommandEntry* command = FindCommand(program, name);
  if (command == nullptr) {
    return ReportError({ErrorCode::kInvalidArgument,
                        "there is no command " + name + ": switchback --help lists all"},
                       false);
  }
  std::cout << ManualOfCommand(*command) << std::flush;
  return std::cout ? kExitDone : kExitFailed;
}

int Run(const ManOptions& options, const CommandEntry& program) {
  if (options.directory.empty()) return PrintPage(program, options.command);
  const Status written = WritePages(program, options.directory);
  return written ? kExitDone : ReportError(written.error(), false);
}

constexpr const char* kFooter =
    "Examples:\n"
    "  switchback man | man -l -\n"
    "  switchback man backup | man -l -\n"
    "  switchback man --to /usr/local/share/man/man1";

}  // namespace

void AddManCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("man", "Print manual pages");
  auto options = std::make_shared<ManOptions>();
  auto* name = command->add_option("COMMAND", options->command, "Of this command [the program]");
  command->add_option("--to", options->directory, "Write all pages into this directory")
      ->excludes(name);
  command->footer(kFooter);
  command->callback(
      [options, &app, &exit_code] { exit_code = Run(*options, DescribeCommands(app)); });
}

}  // namespace switchback
