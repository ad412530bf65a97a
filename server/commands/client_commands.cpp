#include "server/commands/client_commands.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "server/commands/numbers.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

using ClientInfoPtr = std::shared_ptr<ClientInfo>;

bool IsPlainText(std::string_view text) {
  return text.size() <= kClientNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

Status Id(Client& client, CommandContext& context) {
  context.reply.Integer(static_cast<long long>(client.info->id()));
  return {};
}

Status GetName(Client& client, CommandContext& context) {
  const std::string name = client.info->Name();
  if (name.empty()) {
    context.reply.Null();
  } else {
    context.reply.Bulk(name);
  }
  return {};
}

Status SetName(Client& client, CommandContext& context) {
  SB_RETURN_IF_ERROR(CheckClientName(context.args[2]));
  client.info->SetName(std::string(context.args[2]));
  context.reply.Ok();
  return {};
}

// Redis 7.2's; newer client libraries send it on connecting and expect it to be known.
Status SetInfo(Client& client, CommandContext& context) {
  const std::string_view what = context.args[2];
  const std::string_view value = context.args[3];
  const bool is_name = EqualsIgnoringCase(what, "lib-name");
  if (!is_name && !EqualsIgnoringCase(what, "lib-ver")) {
    return Fail(ErrorCode::kInvalidArgument, "Unrecognized option '" + std::string(what) + "'");
  }
  if (!IsPlainText(value)) {
    return FailArgument(is_name ? "lib-name cannot contain spaces, newlines or special characters."
                                : "lib-ver cannot contain spaces, newlines or special characters.");
  }
  if (is_name) {
    client.info->SetLibrary(std::string(value), client.info->LibraryVersion());
  } else {
    client.info->SetLibrary(client.info->LibraryName(), std::string(value));
  }
  context.reply.Ok();
  return {};
}

Status Info(Client& client, CommandContext& context) {
  context.reply.Verbatim(client.info->Describe(context.environment.clock->Now()) + "\n");
  return {};
}

bool IsKnownType(std::string_view type) {
  return EqualsIgnoringCase(type, "normal") || EqualsIgnoringCase(type, "master") ||
         EqualsIgnoringCase(type, "replica") || EqualsIgnoringCase(type, "slave") ||
         EqualsIgnoringCase(type, "pubsub");
}

Status FailUnknownType(std::string_view type) {
  return Fail(ErrorCode::kInvalidArgument, "Unknown client type '" + std::string(type) + "'");
}

// CLIENT LIST [TYPE t] [ID id ...]. Every client here is of the type "normal".
Status ParseListFilter(Arguments options, bool& is_none, std::vector<std::uint64_t>& ids) {
  if (options.empty()) return {};
  if (options.size() == 2 && EqualsIgnoringCase(options[0], "type")) {
    if (!IsKnownType(options[1])) return FailUnknownType(options[1]);
    is_none = !EqualsIgnoringCase(options[1], "normal");
    return {};
  }
  if (options.size() < 2 || !EqualsIgnoringCase(options[0], "id")) return FailSyntax();
  for (const std::string_view text : options.subspan(1)) {
    long long id = 0;
    if (!ParseInteger(text, id)) return FailArgument("Invalid client ID");
    ids.push_back(static_cast<std::uint64_t>(id));
  }
  return {};
}

Status List(Client& /*client*/, CommandContext& context) {
  bool is_none = false;
  std::vector<std::uint64_t> ids;
  SB_RETURN_IF_ERROR(ParseListFilter(context.args.subspan(2), is_none, ids));
  const SteadyTime now = context.environment.clock->Now();
  std::string lines;
  for (const ClientInfoPtr& info : context.environment.clients.All()) {
    const bool is_wanted =
        ids.empty() || std::find(ids.begin(), ids.end(), info->id()) != ids.end();
    if (is_wanted && !is_none) lines.append(info->Describe(now)).append("\n");
  }
  context.reply.Verbatim(lines);
  return {};
}

struct KillFilter {
  std::optional<std::uint64_t> id;
  std::string_view address;
  std::string_view local_address;
  bool skips_self = true;
  bool is_none = false;  // asks for a type or user that no client has

  [[nodiscard]] bool Matches(const ClientInfo& info, const Client& self) const {
    if (is_none || (skips_self && info.id() == self.info->id())) return false;
    if (id && *id != info.id()) return false;
    if (!address.empty() && address != info.address()) return false;
    return local_address.empty() || local_address == info.local_address();
  }
};

Status ParseKillOption(std::string_view option, std::string_view value, KillFilter& filter) {
  if (EqualsIgnoringCase(option, "id")) {
    long long id = 0;
    if (!ParseInteger(value, id) || id < 1) {
      return FailArgument("client-id should be greater than 0");
    }
    filter.id = static_cast<std::uint64_t>(id);
  } else if (EqualsIgnoringCase(option, "addr")) {
    filter.address = value;
  } else if (EqualsIgnoringCase(option, "laddr")) {
    filter.local_address = value;
  } else if (EqualsIgnoringCase(option, "type")) {
    if (!IsKnownType(value)) return FailUnknownType(value);
    filter.is_none |= !EqualsIgnoringCase(value, "normal");
  } else if (EqualsIgnoringCase(option, "user")) {
    if (value != "default") {
      return Fail(ErrorCode::kInvalidArgument, "No such user '" + std::string(value) + "'");
    }
  } else if (EqualsIgnoringCase(option, "skipme") && EqualsIgnoringCase(value, "yes")) {
    filter.skips_self = true;
  } else if (EqualsIgnoringCase(option, "skipme") && EqualsIgnoringCase(value, "no")) {
    filter.skips_self = false;
  } else {
    return FailSyntax();
  }
  return {};
}

Status Kill(Client& client, CommandContext& context) {
  const Arguments options = context.args.subspan(2);
  KillFilter filter;
  const bool is_old_form = options.size() == 1;
  if (is_old_form) {
    filter.address = options[0];
    filter.skips_self = false;
  } else {
    if (options.size() % 2 != 0) return FailSyntax();
    for (std::size_t i = 0; i < options.size(); i += 2) {
      SB_RETURN_IF_ERROR(ParseKillOption(options[i], options[i + 1], filter));
    }
  }
  long long count = 0;
  for (const ClientInfoPtr& info : context.environment.clients.All()) {
    if (!filter.Matches(*info, client)) continue;
    ++count;
    if (info->id() == client.info->id()) {
      client.is_closing = true;  // after the reply, as in Redis
    } else {
      info->Kill();
    }
  }
  if (!is_old_form) {
    context.reply.Integer(count);
    return {};
  }
  if (count == 0) return FailArgument("No such client");
  context.reply.Ok();
  return {};
}

// NO-EVICT and NO-TOUCH: nothing is evicted here, and reading a key leaves no trace on it.
Status AcceptOnOff(Client& /*client*/, CommandContext& context) {
  if (!EqualsIgnoringCase(context.args[2], "on") && !EqualsIgnoringCase(context.args[2], "off")) {
    return FailSyntax();
  }
  context.reply.Ok();
  return {};
}

Status Reply(Client& /*client*/, CommandContext& context) {
  if (EqualsIgnoringCase(context.args[2], "on")) {
    context.reply.Ok();
    return {};
  }
  if (!EqualsIgnoringCase(context.args[2], "off") && !EqualsIgnoringCase(context.args[2], "skip")) {
    return FailSyntax();
  }
  return FailArgument("CLIENT REPLY OFF and SKIP are not supported");
}

Status Help(Client& /*client*/, CommandContext& context) {
  constexpr std::array<std::string_view, 10> kLines{
      "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "GETNAME -- Return the name of the current connection.",
      "ID -- Return the ID of the current connection.",
      "INFO -- Return information about the current client connection.",
      "KILL <ip:port> | <option> <value> ... -- Kill connections.",
      "LIST [TYPE normal] [ID id ...] -- Return information about client connections.",
      "NO-EVICT (ON|OFF), NO-TOUCH (ON|OFF) -- Accepted, without effect.",
      "REPLY ON -- Accepted; OFF and SKIP are not supported.",
      "SETINFO (lib-name|lib-ver) <value> -- Say which client library this is.",
      "SETNAME <name> -- Assign the name <name> to the current connection."};
  context.reply.Array(kLines.size());
  for (const std::string_view line : kLines) context.reply.SimpleString(line);
  return {};
}

constexpr Command MakeSubcommand(std::string_view name, int arity, ClientHandler handler,
                                 std::string_view since, std::string_view summary,
                                 unsigned flags = 0) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = flags | kFlagNoScript | kFlagLoading | kFlagStale,
                 .group = "connection",
                 .since = since,
                 .summary = summary,
                 .client = handler};
}

constexpr std::array kCommands{
    MakeSubcommand("client|id", 2, &Id, "5.0.0", "Return the client ID for the connection"),
    MakeSubcommand("client|getname", 2, &GetName, "2.6.9", "Get the connection name"),
    MakeSubcommand("client|setname", 3, &SetName, "2.6.9", "Set the connection name"),
    MakeSubcommand("client|setinfo", 4, &SetInfo, "7.2.0", "Set client information"),
    MakeSubcommand("client|info", 2, &Info, "6.2.0", "Describe this client connection"),
    MakeSubcommand("client|list", -2, &List, "2.4.0", "Get the list of client connections",
                   kFlagAdmin),
    MakeSubcommand("client|kill", -3, &Kill, "2.4.0", "Kill the connection of a client",
                   kFlagAdmin),
    MakeSubcommand("client|no-evict", 3, &AcceptOnOff, "7.0.0", "Accepted, without effect",
                   kFlagAdmin),
    MakeSubcommand("client|no-touch", 3, &AcceptOnOff, "7.2.0", "Accepted, without effect"),
    MakeSubcommand("client|reply", 3, &Reply, "3.2.0", "ON is accepted"),
    MakeSubcommand("client|help", 2, &Help, "5.0.0", "Show help about the subcommands"),
};

}  // namespace

std::span<const Command> ClientSubcommands() {
  return kCommands;
}

Status CheckClientName(std::string_view name) {
  if (IsPlainText(name)) return {};
  return FailArgument("Client names cannot contain spaces, newlines or special characters.");
}

}  // namespace switchback
