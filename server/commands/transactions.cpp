// MULTI EXEC DISCARD WATCH UNWATCH QUIT RESET: all but UNWATCH steer the conversation itself and
// are carried out by resp/conversation.
#include <array>

#include "server/commands/client.hpp"
#include "server/commands/table.hpp"

namespace switchback {
namespace {

// Queued like any command inside MULTI; EXEC forgets the watches anyway.
Status Unwatch(Client& client, CommandContext& context) {
  client.Unwatch();
  context.reply.Ok();
  return {};
}

constexpr unsigned kFlags = kFlagNoScript | kFlagLoading | kFlagStale | kFlagFast;

constexpr Command MakeControl(std::string_view name, int arity, ControlCommand control,
                              std::string_view since, std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = kFlags,
                 .group = "transactions",
                 .since = since,
                 .summary = summary,
                 .control = control};
}

constexpr Command AllowedBeforeAuth(Command command) {
  command.flags |= kFlagNoAuth;
  command.group = "connection";
  return command;
}

constexpr Command WithKeys(Command command) {
  command.first_key = 1;
  command.last_key = -1;
  command.key_step = 1;
  return command;
}

constexpr std::array kCommands{
    MakeControl("multi", 1, ControlCommand::kMulti, "1.2.0", "Mark the start of a transaction"),
    MakeControl("exec", 1, ControlCommand::kExec, "1.2.0",
                "Execute all commands issued after MULTI"),
    MakeControl("discard", 1, ControlCommand::kDiscard, "2.0.0",
                "Discard all commands issued after MULTI"),
    WithKeys(MakeControl("watch", -2, ControlCommand::kWatch, "2.2.0",
                         "Watch the given keys to determine execution of the transaction")),
    Command{.name = "unwatch",
            .arity = 1,
            .flags = kFlags,
            .group = "transactions",
            .since = "2.2.0",
            .summary = "Forget about all watched keys",
            .client = &Unwatch},
    AllowedBeforeAuth(
        MakeControl("quit", -1, ControlCommand::kQuit, "1.0.0", "Close the connection")),
    AllowedBeforeAuth(
        MakeControl("reset", 1, ControlCommand::kReset, "6.2.0", "Reset the connection")),
};

}  // namespace

std::span<const Command> TransactionCommands() {
  return kCommands;
}

}  // namespace switchback
