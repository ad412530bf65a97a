// COMMAND and its subcommands: what clients ask about the commands themselves.
#pragma once

#include <span>

#include "server/commands/client.hpp"
#include "server/commands/command.hpp"

namespace switchback {

// COMMAND without arguments.
Status ReplyAllCommands(Client& client, CommandContext& context);

std::span<const Command> CommandSubcommands();

}  // namespace switchback
