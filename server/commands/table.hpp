// All commands by name. Immutable after the first use; thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/access/access_role.hpp"
#include "server/commands/command.hpp"

namespace switchback {

// One group a file; the table is made of these.
std::span<const Command> StringReadCommands();
std::span<const Command> StringWriteCommands();
std::span<const Command> CounterCommands();
std::span<const Command> KeyspaceReadCommands();
std::span<const Command> KeyspaceWriteCommands();
std::span<const Command> TransactionCommands();
std::span<const Command> ConnectionCommands();
std::span<const Command> ServerCommands();
std::span<const Command> ExpiryCommands();

// The command called `name` in any mixture of cases, or nullptr. Some nanoseconds.
const Command* FindCommand(std::string_view name);

// The subcommand of `container` called `name`, or nullptr.
const Command* FindSubcommand(const Command& container, std::string_view name);

// The least role that may run the command: an operator writes, an admin empties collections and
// looks at other clients and at the configuration.
AccessRole RoleFor(const Command& command);

// Every top-level command, by name.
const std::vector<const Command*>& AllCommands();

// True when both are the same but for the case of ASCII letters.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

// What Redis 7.0 answers, without the "ERR ": nullptr in `command` when `args` name no command that
// takes so many arguments, and then the reason.
struct ResolvedCommand {
  const Command* command = nullptr;
  std::string error;
};
ResolvedCommand ResolveCommand(Arguments args);

}  // namespace switchback
