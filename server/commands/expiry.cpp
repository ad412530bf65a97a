// The commands about expiry, all refused: a record here lives until it is deleted. They are in the
// table so that a client learns why, instead of "unknown command".
#include <array>

#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

Status RefuseRead(RecordReader& /*reader*/, CommandContext& /*context*/) {
  return FailExpiry();
}

constexpr Command MakeCommand(std::string_view name, int arity) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = kFlagReadOnly | kFlagFast,
                 .first_key = 1,
                 .last_key = 1,
                 .key_step = 1,
                 .group = "generic",
                 .since = "1.0.0",
                 .summary = "Not supported: records do not expire",
                 .read = &RefuseRead};
}

constexpr std::array kCommands{
    MakeCommand("expire", -3),    MakeCommand("pexpire", -3),   MakeCommand("expireat", -3),
    MakeCommand("pexpireat", -3), MakeCommand("expiretime", 2), MakeCommand("pexpiretime", 2),
    MakeCommand("ttl", 2),        MakeCommand("pttl", 2),       MakeCommand("persist", 2),
    MakeCommand("setex", 4),      MakeCommand("psetex", 4),     MakeCommand("getex", -2),
};

}  // namespace

std::span<const Command> ExpiryCommands() {
  return kCommands;
}

}  // namespace switchback
