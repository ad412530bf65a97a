// Completion scripts of shells from the tree of commands. Each walks the words before the cursor to
// the command they name, and offers what may follow there: commands, options, an option's choices,
// else files.
#pragma once

#include <string>

#include "server/cli/manual/command_tree.hpp"

namespace switchback {

std::string BashCompletion(const CommandEntry& program);
std::string ZshCompletion(const CommandEntry& program);
std::string FishCompletion(const CommandEntry& program);

// "backup create" and "--note" are "backup create:--note": how the scripts name a place and a word.
std::string PlaceOf(const CommandEntry& command, const std::string& word);

// The cases that the scripts of bash and zsh have in common, as functions of the shell, each with
// the command's path and a word: NAME_is_command, NAME_takes_value, NAME_choices (prints them;
// fails when there are none).
std::string SharedShellFunctions(const CommandEntry& program);

// In single quotes, as bash and zsh read them.
std::string ShellQuoted(const std::string& text);

}  // namespace switchback
