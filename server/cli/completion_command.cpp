#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>

#include "server/cli/commands.hpp"
#include "server/cli/manual/completion.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

std::string CompletionFor(const std::string& shell, const CommandEntry& program) {
  if (shell == "zsh") return ZshCompletion(program);
  if (shell == "fish") return FishCompletion(program);
  return BashCompletion(program);
}

constexpr const char* kFooter =
    "Examples:\n"
    "  . <(switchback completion bash)\n"
    "  switchback completion zsh >\"${fpath[1]}/_switchback\"\n"
    "  switchback completion fish >~/.config/fish/completions/switchback.fish";

}  // namespace

void AddCompletionCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("completion", "Print what completes commands in a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(kFooter);
  command->callback([shell, &app, &exit_code] {
    std::cout << CompletionFor(*shell, DescribeCommands(app)) << std::flush;
    exit_code = std::cout ? kExitDone : kExitFailed;
  });
}

}  // namespace switchback
