// CONFIG GET, for the tools that ask before they start (redis-benchmark, monitoring). The
// configuration itself is a file (docs/operations.md): CONFIG SET is refused.
#pragma once

#include <span>

#include "server/commands/client.hpp"
#include "server/commands/command.hpp"

namespace switchback {

std::span<const Command> ConfigSubcommands();

}  // namespace switchback
