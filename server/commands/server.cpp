// COMMAND CONFIG INFO TIME.
#include <array>

#include "server/commands/client.hpp"
#include "server/commands/command_command.hpp"
#include "server/commands/config_command.hpp"
#include "server/commands/info.hpp"
#include "server/commands/table.hpp"

namespace switchback {
namespace {

Status Time(Client& /*client*/, CommandContext& context) {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       context.environment.clock->WallNow().time_since_epoch())
                       .count();
  context.reply.Array(2);
  context.reply.Bulk(std::to_string(now / 1000000));
  context.reply.Bulk(std::to_string(now % 1000000));
  return {};
}

// On the slow lane: the counts of records take a pass over a SQLite table.
Status Info(RecordReader& reader, CommandContext& context) {
  auto text = DescribeServer(context.args.subspan(1), reader, context.environment);
  if (!text) return Fail(std::move(text).error());
  context.reply.Verbatim(*text);
  return {};
}

std::span<const Command> Commands() {
  static const std::array commands{
      Command{.name = "command",
              .arity = -1,
              .flags = kFlagLoading | kFlagStale,
              .group = "server",
              .since = "2.8.13",
              .summary = "Get array of command details",
              .client = &ReplyAllCommands,
              .subcommands = CommandSubcommands()},
      Command{.name = "config",
              .arity = -2,
              .flags = kFlagAdmin | kFlagNoScript | kFlagLoading | kFlagStale,
              .group = "server",
              .since = "2.0.0",
              .summary = "A container for server configuration commands",
              .subcommands = ConfigSubcommands()},
      Command{.name = "info",
              .arity = -1,
              .flags = kFlagLoading | kFlagStale | kFlagSlow | kFlagNoMulti,
              .group = "server",
              .since = "1.0.0",
              .summary = "Get information and statistics about the server",
              .read = &Info},
      Command{.name = "time",
              .arity = 1,
              .flags = kFlagLoading | kFlagStale | kFlagFast,
              .group = "server",
              .since = "2.6.0",
              .summary = "Return the current server time",
              .client = &Time},
  };
  return commands;
}

}  // namespace

std::span<const Command> ServerCommands() {
  return Commands();
}

}  // namespace switchback
