// Manual pages (roff, section 1) from the tree of commands.
#pragma once

#include <string>
#include <string_view>

#include "server/cli/manual/command_tree.hpp"

namespace switchback {

// The page of the whole program, switchback(1): what there is, and where the rest is told.
std::string ManualOfProgram(const CommandEntry& program);

// switchback-NAME(1): one command of the program with all below it.
std::string ManualOfCommand(const CommandEntry& command);

// `text` so that roff prints exactly it: no line of it is taken for a request, no sign of it for an
// escape.
std::string EscapeRoff(std::string_view text);

}  // namespace switchback
