// GET MGET STRLEN GETRANGE SUBSTR
#include <algorithm>
#include <array>

#include "server/commands/numbers.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

Status Get(RecordReader& reader, CommandContext& context) {
  const auto value = GetValue(reader, context.collection, context.args[1]);
  if (!value) [[unlikely]]
    return Fail(value.error());
  if (*value) {
    context.reply.Bulk(**value);
  } else {
    context.reply.Null();
  }
  return {};
}

Status MultiGet(RecordReader& reader, CommandContext& context) {
  const auto values = GetValues(reader, context.collection, context.args.subspan(1));
  if (!values) return Fail(values.error());
  context.reply.Array(values->size());
  for (const auto& value : *values) {
    if (value) {
      context.reply.Bulk(*value);
    } else {
      context.reply.Null();
    }
  }
  return {};
}

Status StringLength(RecordReader& reader, CommandContext& context) {
  const auto value = GetValue(reader, context.collection, context.args[1]);
  if (!value) return Fail(value.error());
  context.reply.Integer(*value ? static_cast<long long>((*value)->size()) : 0);
  return {};
}

// The part of `value` from `start` to `end`, both inclusive; negative ones count from the end.
std::string_view Range(std::string_view value, long long start, long long end) {
  const auto size = static_cast<long long>(value.size());
  if (start < 0 && end < 0 && start > end) return {};
  if (start < 0) start = std::max(start + size, 0LL);
  if (end < 0) end = std::max(end + size, 0LL);
  end = std::min(end, size - 1);
  if (start > end || size == 0) return {};
  return value.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start + 1));
}

Status GetRange(RecordReader& reader, CommandContext& context) {
  long long start = 0;
  long long end = 0;
  if (!ParseInteger(context.args[2], start) || !ParseInteger(context.args[3], end)) {
    return FailNotAnInteger();
  }
  const auto value = GetValue(reader, context.collection, context.args[1]);
  if (!value) return Fail(value.error());
  context.reply.Bulk(*value ? Range(**value, start, end) : std::string_view());
  return {};
}

constexpr unsigned kFastRead = kFlagReadOnly | kFlagFast;
constexpr std::array kCommands{
    Command{.name = "get",
            .arity = 2,
            .flags = kFastRead,
            .first_key = 1,
            .last_key = 1,
            .key_step = 1,
            .group = "string",
            .since = "1.0.0",
            .summary = "Get the value of a key",
            .read = &Get},
    Command{.name = "mget",
            .arity = -2,
            .flags = kFastRead,
            .first_key = 1,
            .last_key = -1,
            .key_step = 1,
            .group = "string",
            .since = "1.0.0",
            .summary = "Get the values of all the given keys at one point in time",
            .read = &MultiGet},
    Command{.name = "strlen",
            .arity = 2,
            .flags = kFastRead,
            .first_key = 1,
            .last_key = 1,
            .key_step = 1,
            .group = "string",
            .since = "2.2.0",
            .summary = "Get the length of the value stored in a key",
            .read = &StringLength},
    Command{.name = "getrange",
            .arity = 4,
            .flags = kFlagReadOnly,
            .first_key = 1,
            .last_key = 1,
            .key_step = 1,
            .group = "string",
            .since = "2.4.0",
            .summary = "Get a substring of the string stored at a key",
            .read = &GetRange},
    Command{.name = "substr",
            .arity = 4,
            .flags = kFlagReadOnly,
            .first_key = 1,
            .last_key = 1,
            .key_step = 1,
            .group = "string",
            .since = "1.0.0",
            .summary = "Get a substring of the string stored at a key",
            .read = &GetRange},
};

}  // namespace

std::span<const Command> StringReadCommands() {
  return kCommands;
}

}  // namespace switchback
