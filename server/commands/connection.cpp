// HELLO AUTH SELECT PING ECHO, and CLIENT with its subcommands (client_commands.cpp).
#include <array>
#include <optional>

#include "server/commands/client_commands.hpp"
#include "server/commands/numbers.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

// Whether the client may go on; if not, the reply is written.
bool LogIn(Client& client, std::string_view user, std::string_view password, ReplyWriter& reply) {
  const Status done = client.Authenticate(user, password);
  if (done) return true;
  if (done.error().code == ErrorCode::kBusy) {
    reply.Error("ERR " + done.error().message);
  } else {
    reply.Error("WRONGPASS " + done.error().message);
  }
  return false;
}

Status Ping(Client& /*client*/, CommandContext& context) {
  if (context.args.size() > 2) return FailArgument("wrong number of arguments for 'ping' command");
  if (context.args.size() == 2) {
    context.reply.Bulk(context.args[1]);
  } else {
    context.reply.SimpleString("PONG");
  }
  return {};
}

Status Echo(Client& /*client*/, CommandContext& context) {
  context.reply.Bulk(context.args[1]);
  return {};
}

Status Select(Client& client, CommandContext& context) {
  SB_RETURN_IF_ERROR(client.Select(context.args[1]));
  context.reply.Ok();
  return {};
}

Status Auth(Client& client, CommandContext& context) {
  const Arguments args = context.args;
  if (args.size() > 3) return FailSyntax();
  if (args.size() == 2 && !context.environment.needs_login()) {
    return FailArgument(
        "AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = args.size() == 3 ? args[1] : std::string_view("default");
  if (LogIn(client, user, args.back(), context.reply)) context.reply.Ok();
  return {};
}

struct HelloOptions {
  std::optional<RespVersion> version;
  std::optional<std::string_view> user;
  std::string_view password;
  std::optional<std::string_view> name;
};

Status ParseHelloOptions(Arguments options, HelloOptions& parsed) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::size_t rest = options.size() - 1 - i;
    if (EqualsIgnoringCase(options[i], "auth") && rest >= 2) {
      parsed.user = options[i + 1];
      parsed.password = options[i + 2];
      i += 2;
    } else if (EqualsIgnoringCase(options[i], "setname") && rest >= 1) {
      SB_RETURN_IF_ERROR(CheckClientName(options[i + 1]));
      parsed.name = options[++i];
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "Syntax error in HELLO option '" + std::string(options[i]) + "'");
    }
  }
  return {};
}

void ReplyHello(const Client& client, ReplyWriter& reply) {
  reply.Map(7);
  // Clients take their cue from these two: we speak Redis 7.0's protocol.
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(static_cast<long long>(client.version));
  reply.Bulk("id");
  reply.Integer(static_cast<long long>(client.info->id()));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
}

Status Hello(Client& client, CommandContext& context) {
  HelloOptions options;
  if (context.args.size() > 1) {
    long long version = 0;
    if (!ParseInteger(context.args[1], version)) {
      return FailArgument("Protocol version is not an integer or out of range");
    }
    if (version != 2 && version != 3) {
      context.reply.Error("NOPROTO unsupported protocol version");
      return {};
    }
    options.version = version == 2 ? RespVersion::k2 : RespVersion::k3;
    SB_RETURN_IF_ERROR(ParseHelloOptions(context.args.subspan(2), options));
  }
  if (options.user && !LogIn(client, *options.user, options.password, context.reply)) return {};
  if (!client.is_authenticated) {
    context.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
    return {};
  }
  if (options.name) client.info->SetName(std::string(*options.name));
  if (options.version) client.version = *options.version;
  client.info->SetResp(static_cast<int>(client.version));
  ReplyWriter reply(context.reply.output(), client.version);  // already in the new protocol
  ReplyHello(client, reply);
  return {};
}

constexpr Command MakeCommand(std::string_view name, int arity, unsigned flags,
                              ClientHandler handler, std::string_view since,
                              std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = flags,
                 .group = "connection",
                 .since = since,
                 .summary = summary,
                 .client = handler};
}

constexpr unsigned kAuthFlags =
    kFlagNoScript | kFlagLoading | kFlagStale | kFlagFast | kFlagNoAuth | kFlagNoMulti;

std::span<const Command> Commands() {
  // Not constexpr: the subcommands are another file's.
  static const std::array commands{
      MakeCommand("ping", -1, kFlagFast, &Ping, "1.0.0", "Ping the server"),
      MakeCommand("echo", 2, kFlagFast | kFlagLoading | kFlagStale, &Echo, "1.0.0",
                  "Echo the given string"),
      MakeCommand("select", 2, kFlagFast | kFlagLoading | kFlagStale, &Select, "1.0.0",
                  "Change the selected collection, by number or name"),
      MakeCommand("auth", -2, kAuthFlags, &Auth, "1.0.0", "Authenticate to the server"),
      MakeCommand("hello", -1, kAuthFlags, &Hello, "6.0.0", "Handshake with the server"),
      Command{.name = "client",
              .arity = -2,
              .flags = kFlagNoScript | kFlagLoading | kFlagStale,
              .group = "connection",
              .since = "2.4.0",
              .summary = "A container for client connection commands",
              .subcommands = ClientSubcommands()},
  };
  return commands;
}

}  // namespace

std::span<const Command> ConnectionCommands() {
  return Commands();
}

}  // namespace switchback
