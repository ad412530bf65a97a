#include "server/commands/config_command.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "server/commands/values.hpp"
#include "server/resp/glob.hpp"

namespace switchback {
namespace {

// What has a meaning here, under Redis's names. Every write is durable when it is answered, which
// in Redis's words is appendonly with appendfsync always.
std::map<std::string, std::string> Settings(const CommandEnvironment& environment) {
  return {
      {"appendfsync", "always"},
      {"appendonly", "yes"},
      {"bind", environment.bind_address},
      {"databases", std::to_string(environment.collections.count())},
      {"io-threads", std::to_string(environment.thread_count)},
      {"maxclients", std::to_string(environment.clients_max)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"port", std::to_string(environment.port)},
      {"proto-max-bulk-len", std::to_string(kBulkBytesMax)},
      {"save", ""},
      {"timeout", "0"},
  };
}

Status Get(Client& /*client*/, CommandContext& context) {
  const Arguments patterns = context.args.subspan(2);
  auto settings = Settings(context.environment);
  std::erase_if(settings, [&](const auto& setting) {
    return std::none_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
      return pattern.size() <= kPatternBytesMax &&
             GlobMatches(pattern, setting.first, LetterCase::kIgnored);
    });
  });
  context.reply.Map(settings.size());
  for (const auto& [name, value] : settings) {
    context.reply.Bulk(name);
    context.reply.Bulk(value);
  }
  return {};
}

Status Set(Client& /*client*/, CommandContext& /*context*/) {
  return FailArgument("CONFIG SET is not supported: edit the configuration file and restart");
}

constexpr unsigned kFlags = kFlagAdmin | kFlagNoScript | kFlagLoading | kFlagStale;

constexpr std::array kCommands{
    Command{.name = "config|get",
            .arity = -3,
            .flags = kFlags,
            .group = "server",
            .since = "2.0.0",
            .summary = "Get the values of configuration parameters",
            .client = &Get},
    Command{.name = "config|set",
            .arity = -4,
            .flags = kFlags,
            .group = "server",
            .since = "2.0.0",
            .summary = "Refused: the configuration is a file",
            .client = &Set},
};

}  // namespace

std::span<const Command> ConfigSubcommands() {
  return kCommands;
}

}  // namespace switchback
