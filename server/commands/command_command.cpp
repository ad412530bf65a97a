#include "server/commands/command_command.hpp"

#include <array>
#include <vector>

#include "server/commands/table.hpp"
#include "server/commands/values.hpp"
#include "server/resp/glob.hpp"

namespace switchback {
namespace {

constexpr std::array<std::pair<CommandFlag, std::string_view>, 10> kFlagNames{{
    {kFlagWrite, "write"},
    {kFlagReadOnly, "readonly"},
    {kFlagDenyOom, "denyoom"},
    {kFlagAdmin, "admin"},
    {kFlagNoScript, "noscript"},
    {kFlagLoading, "loading"},
    {kFlagStale, "stale"},
    {kFlagFast, "fast"},
    {kFlagNoAuth, "no_auth"},
    {kFlagNoMulti, "no_multi"},
}};

// A name as COMMAND DOCS and INFO take it: "get", or "client|id".
const Command* FindFullName(std::string_view name) {
  const std::size_t bar = name.find('|');
  const Command* command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

// The ten elements of Redis 7: name, arity, flags, key positions, ACL categories, tips, key
// specifications, subcommands.
void ReplyCommand(const Command& command, ReplyWriter& reply) {
  reply.Array(10);
  reply.Bulk(command.name);
  reply.Integer(command.arity);
  std::vector<std::string_view> flags;
  for (const auto& [flag, name] : kFlagNames) {
    if (command.Has(flag)) flags.push_back(name);
  }
  reply.Set(flags.size());
  for (const std::string_view flag : flags) reply.SimpleString(flag);
  reply.Integer(command.first_key);
  reply.Integer(command.last_key);
  reply.Integer(command.key_step);
  reply.Set(1);
  reply.SimpleString(command.Has(kFlagFast) ? "@fast" : "@slow");
  reply.Array(0);
  reply.Array(0);
  reply.Array(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) ReplyCommand(subcommand, reply);
}

Status Info(Client& client, CommandContext& context) {
  if (context.args.size() == 2) return ReplyAllCommands(client, context);
  context.reply.Array(context.args.size() - 2);
  for (const std::string_view name : context.args.subspan(2)) {
    const Command* command = FindFullName(name);
    if (command == nullptr) {
      context.reply.NullArray();
    } else {
      ReplyCommand(*command, context.reply);
    }
  }
  return {};
}

void ReplyDocs(const Command& command, ReplyWriter& reply) {
  reply.Bulk(command.name);
  reply.Map(command.subcommands.empty() ? 3 : 4);
  reply.Bulk("summary");
  reply.Bulk(command.summary);
  reply.Bulk("since");
  reply.Bulk(command.since);
  reply.Bulk("group");
  reply.Bulk(command.group);
  if (command.subcommands.empty()) return;
  reply.Bulk("subcommands");
  reply.Map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) ReplyDocs(subcommand, reply);
}

Status Docs(Client& /*client*/, CommandContext& context) {
  std::vector<const Command*> commands;
  if (context.args.size() == 2) {
    commands = AllCommands();
  } else {
    // Unknown names are left out, as in Redis.
    for (const std::string_view name : context.args.subspan(2)) {
      if (const Command* command = FindFullName(name); command != nullptr) {
        commands.push_back(command);
      }
    }
  }
  context.reply.Map(commands.size());
  for (const Command* command : commands) ReplyDocs(*command, context.reply);
  return {};
}

Status Count(Client& /*client*/, CommandContext& context) {
  context.reply.Integer(static_cast<long long>(AllCommands().size()));
  return {};
}

// COMMAND LIST [FILTERBY PATTERN glob]. Categories and modules don't exist here.
Status List(Client& /*client*/, CommandContext& context) {
  const Arguments options = context.args.subspan(2);
  std::string_view pattern = "*";
  if (options.size() == 3 && EqualsIgnoringCase(options[0], "filterby") &&
      EqualsIgnoringCase(options[1], "pattern")) {
    pattern = options[2];
  } else if (!options.empty()) {
    return FailSyntax();
  }
  std::vector<std::string_view> names;
  for (const Command* command : AllCommands()) {
    if (GlobMatches(pattern, command->name, LetterCase::kIgnored)) names.push_back(command->name);
  }
  context.reply.Array(names.size());
  for (const std::string_view name : names) context.reply.Bulk(name);
  return {};
}

Status GetKeys(Client& /*client*/, CommandContext& context) {
  const Arguments request = context.args.subspan(2);
  const ResolvedCommand resolved = ResolveCommand(request);
  if (resolved.command == nullptr) {
    return FailArgument(FindCommand(request[0]) == nullptr
                            ? "Invalid command specified"
                            : "Invalid number of arguments specified for command");
  }
  const Command& command = *resolved.command;
  if (command.first_key == 0) return FailArgument("The command has no key arguments");
  const auto last =
      command.last_key < 0 ? request.size() - 1 : static_cast<std::size_t>(command.last_key);
  std::vector<std::string_view> keys;
  for (auto i = static_cast<std::size_t>(command.first_key); i <= last && i < request.size();
       i += static_cast<std::size_t>(command.key_step)) {
    keys.push_back(request[i]);
  }
  context.reply.Array(keys.size());
  for (const std::string_view key : keys) context.reply.Bulk(key);
  return {};
}

constexpr Command MakeSubcommand(std::string_view name, int arity, ClientHandler handler,
                                 std::string_view since, std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = kFlagLoading | kFlagStale,
                 .group = "server",
                 .since = since,
                 .summary = summary,
                 .client = handler};
}

constexpr std::array kCommands{
    MakeSubcommand("command|count", 2, &Count, "2.8.13", "Get total number of commands"),
    MakeSubcommand("command|docs", -2, &Docs, "7.0.0", "Get array of command documentation"),
    MakeSubcommand("command|info", -2, &Info, "2.8.13", "Get array of specific command details"),
    MakeSubcommand("command|list", -2, &List, "7.0.0", "Get an array of command names"),
    MakeSubcommand("command|getkeys", -4, &GetKeys, "2.8.13", "Extract keys given a full command"),
};

}  // namespace

Status ReplyAllCommands(Client& /*client*/, CommandContext& context) {
  const auto& commands = AllCommands();
  context.reply.Array(commands.size());
  for (const Command* command : commands) ReplyCommand(*command, context.reply);
  return {};
}

std::span<const Command> CommandSubcommands() {
  return kCommands;
}

}  // namespace switchback
