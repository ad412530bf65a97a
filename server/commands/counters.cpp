// INCR DECR INCRBY DECRBY INCRBYFLOAT
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "server/commands/numbers.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

Status Add(Transaction& transaction, CommandContext& context, long long amount) {
  const auto old = GetValue(transaction, context.collection, context.args[1]);
  if (!old) return Fail(old.error());
  long long value = 0;
  if (*old && !ParseInteger(**old, value)) return FailNotAnInteger();
  if (__builtin_add_overflow(value, amount, &value)) {
    return FailArgument("increment or decrement would overflow");
  }
  char digits[24];
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1],
                              {digits, static_cast<std::size_t>(end - digits)}));
  context.reply.Integer(value);
  return {};
}

Status Increment(Transaction& transaction, CommandContext& context) {
  return Add(transaction, context, 1);
}

Status Decrement(Transaction& transaction, CommandContext& context) {
  return Add(transaction, context, -1);
}

Status IncrementBy(Transaction& transaction, CommandContext& context) {
  long long amount = 0;
  if (!ParseInteger(context.args[2], amount)) return FailNotAnInteger();
  return Add(transaction, context, amount);
}

Status DecrementBy(Transaction& transaction, CommandContext& context) {
  long long amount = 0;
  if (!ParseInteger(context.args[2], amount)) return FailNotAnInteger();
  if (amount == std::numeric_limits<long long>::min()) {
    return FailArgument("decrement would overflow");  // it has no opposite
  }
  return Add(transaction, context, -amount);
}

Status IncrementByFloat(Transaction& transaction, CommandContext& context) {
  const auto old = GetValue(transaction, context.collection, context.args[1]);
  if (!old) return Fail(old.error());
  long double value = 0;
  long double amount = 0;
  if ((*old && !ParseLongDouble(**old, value)) || !ParseLongDouble(context.args[2], amount)) {
    return FailArgument("value is not a valid float");
  }
  value += amount;
  if (std::isnan(value) || std::isinf(value)) {
    return FailArgument("increment would produce NaN or Infinity");
  }
  const std::string text = FormatLongDouble(value);
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], text));
  context.reply.Bulk(text);
  return {};
}

constexpr Command MakeCommand(std::string_view name, int arity, WriteHandler handler,
                              std::string_view since, std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = kFlagWrite | kFlagDenyOom | kFlagFast,
                 .first_key = 1,
                 .last_key = 1,
                 .key_step = 1,
                 .group = "string",
                 .since = since,
                 .summary = summary,
                 .write = handler};
}

constexpr std::array kCommands{
    MakeCommand("incr", 2, &Increment, "1.0.0", "Increment the integer value of a key by one"),
    MakeCommand("decr", 2, &Decrement, "1.0.0", "Decrement the integer value of a key by one"),
    MakeCommand("incrby", 3, &IncrementBy, "1.0.0",
                "Increment the integer value of a key by the given amount"),
    MakeCommand("decrby", 3, &DecrementBy, "1.0.0",
                "Decrement the integer value of a key by the given number"),
    MakeCommand("incrbyfloat", 3, &IncrementByFloat, "2.6.0",
                "Increment the float value of a key by the given amount"),
};

}  // namespace

std::span<const Command> CounterCommands() {
  return kCommands;
}

}  // namespace switchback
