// CLIENT ID, INFO, LIST, KILL ...: the connections, looked at from one of them.
#pragma once

#include <span>
#include <string_view>

#include "server/commands/client.hpp"
#include "server/commands/command.hpp"

namespace switchback {

// The Redis whose protocol, replies and error texts these are.
inline constexpr std::string_view kRedisVersion = "7.0.15";

std::span<const Command> ClientSubcommands();

// Names go into lines that are split at spaces: Redis allows '!' to '~' only. kInvalidArgument with
// Redis's text.
Status CheckClientName(std::string_view name);

}  // namespace switchback
