// SET SETNX GETSET GETDEL MSET MSETNX APPEND SETRANGE
#include <array>
#include <string>

#include "server/commands/numbers.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

struct SetOptions {
  bool only_if_absent = false;   // NX
  bool only_if_present = false;  // XX
  bool wants_old_value = false;  // GET
};

bool IsExpiryOption(std::string_view option) {
  return EqualsIgnoringCase(option, "ex") || EqualsIgnoringCase(option, "px") ||
         EqualsIgnoringCase(option, "exat") || EqualsIgnoringCase(option, "pxat");
}

// Redis says "syntax error" before it looks at a time, so the refusal of expiry comes last.
Status ParseSetOptions(Arguments options, SetOptions& parsed) {
  bool has_expiry = false;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = options[i];
    if (EqualsIgnoringCase(option, "nx") && !parsed.only_if_present) {
      parsed.only_if_absent = true;
    } else if (EqualsIgnoringCase(option, "xx") && !parsed.only_if_absent) {
      parsed.only_if_present = true;
    } else if (EqualsIgnoringCase(option, "get")) {
      parsed.wants_old_value = true;
    } else if (EqualsIgnoringCase(option, "keepttl") && !has_expiry) {
      has_expiry = true;
    } else if (IsExpiryOption(option) && !has_expiry && i + 1 < options.size()) {
      has_expiry = true;
      ++i;
    } else {
      return FailSyntax();
    }
  }
  if (has_expiry) return FailExpiry();
  return {};
}

Status SetWithOptions(Transaction& transaction, CommandContext& context) {
  SetOptions options;
  SB_RETURN_IF_ERROR(ParseSetOptions(context.args.subspan(3), options));
  bool is_present = false;
  {
    const auto old = GetValue(transaction, context.collection, context.args[1]);
    if (!old) return Fail(old.error());
    is_present = old->has_value();
    // Written now: the view does not outlive the next call.
    if (options.wants_old_value && is_present) context.reply.Bulk(**old);
  }
  if (options.wants_old_value && !is_present) context.reply.Null();
  if ((options.only_if_absent && is_present) || (options.only_if_present && !is_present)) {
    if (!options.wants_old_value) context.reply.Null();
    return {};
  }
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], context.args[2]));
  if (!options.wants_old_value) context.reply.Ok();
  return {};
}

Status Set(Transaction& transaction, CommandContext& context) {
  if (context.args.size() > 3) return SetWithOptions(transaction, context);
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], context.args[2]));
  context.reply.Ok();
  return {};
}

Status SetIfAbsent(Transaction& transaction, CommandContext& context) {
  const auto is_present = IsPresent(transaction, context.collection, context.args[1]);
  if (!is_present) return Fail(is_present.error());
  if (!*is_present) {
    SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], context.args[2]));
  }
  context.reply.Boolean(!*is_present);
  return {};
}

// Replies with the value of `key`, or null. Returns whether there is one.
Result<bool> ReplyOldValue(Transaction& transaction, CommandContext& context) {
  const auto old = GetValue(transaction, context.collection, context.args[1]);
  if (!old) return Fail(old.error());
  if (*old) {
    context.reply.Bulk(**old);
  } else {
    context.reply.Null();
  }
  return old->has_value();
}

Status GetSet(Transaction& transaction, CommandContext& context) {
  const auto is_present = ReplyOldValue(transaction, context);
  if (!is_present) return Fail(is_present.error());
  return PutValue(transaction, context, context.args[1], context.args[2]);
}

Status GetDelete(Transaction& transaction, CommandContext& context) {
  const auto is_present = ReplyOldValue(transaction, context);
  if (!is_present) return Fail(is_present.error());
  if (!*is_present) return {};
  return transaction.Delete(context.collection, context.args[1]);
}

Status PutPairs(Transaction& transaction, CommandContext& context) {
  for (std::size_t i = 1; i + 1 < context.args.size(); i += 2) {
    SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[i], context.args[i + 1]));
  }
  return {};
}

Status MultiSet(Transaction& transaction, CommandContext& context) {
  if (context.args.size() % 2 == 0) {
    return FailArgument("wrong number of arguments for 'mset' command");
  }
  SB_RETURN_IF_ERROR(PutPairs(transaction, context));
  context.reply.Ok();
  return {};
}

Status MultiSetIfAbsent(Transaction& transaction, CommandContext& context) {
  if (context.args.size() % 2 == 0) {
    return FailArgument("wrong number of arguments for 'msetnx' command");
  }
  for (std::size_t i = 1; i < context.args.size(); i += 2) {
    const auto is_present = IsPresent(transaction, context.collection, context.args[i]);
    if (!is_present) return Fail(is_present.error());
    if (*is_present) {
      context.reply.Integer(0);
      return {};
    }
  }
  SB_RETURN_IF_ERROR(PutPairs(transaction, context));
  context.reply.Integer(1);
  return {};
}

Status Append(Transaction& transaction, CommandContext& context) {
  const auto old = GetValue(transaction, context.collection, context.args[1]);
  if (!old) return Fail(old.error());
  const std::string_view head = old->value_or(std::string_view());
  const std::string_view tail = context.args[2];
  SB_RETURN_IF_ERROR(CheckValueSize(context.environment, head.size() + tail.size()));
  std::string joined;
  joined.reserve(head.size() + tail.size());
  joined.append(head).append(tail);
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], joined));
  context.reply.Integer(static_cast<long long>(joined.size()));
  return {};
}

Status SetRange(Transaction& transaction, CommandContext& context) {
  long long offset = 0;
  if (!ParseInteger(context.args[2], offset)) return FailNotAnInteger();
  if (offset < 0) return FailArgument("offset is out of range");
  const std::string_view part = context.args[3];
  const auto old = GetValue(transaction, context.collection, context.args[1]);
  if (!old) return Fail(old.error());
  const std::string_view before = old->value_or(std::string_view());
  if (part.empty()) {
    // Nothing to write does not make an absent key exist.
    context.reply.Integer(static_cast<long long>(before.size()));
    return {};
  }
  const auto begin = static_cast<std::uint64_t>(offset);  // cannot overflow: part is <= 512 MiB
  SB_RETURN_IF_ERROR(CheckValueSize(context.environment, begin + part.size()));
  std::string value(before);
  if (value.size() < begin + part.size()) value.resize(begin + part.size(), '\0');
  value.replace(begin, part.size(), part);
  SB_RETURN_IF_ERROR(PutValue(transaction, context, context.args[1], value));
  context.reply.Integer(static_cast<long long>(value.size()));
  return {};
}

constexpr unsigned kSlowWrite = kFlagWrite | kFlagDenyOom;
constexpr unsigned kFastWrite = kFlagWrite | kFlagDenyOom | kFlagFast;

constexpr Command MakeCommand(std::string_view name, int arity, unsigned flags,
                              WriteHandler handler, std::string_view since,
                              std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = flags,
                 .first_key = 1,
                 .last_key = 1,
                 .key_step = 1,
                 .group = "string",
                 .since = since,
                 .summary = summary,
                 .write = handler};
}

constexpr Command WithPairs(Command command) {
  command.last_key = -1;
  command.key_step = 2;
  return command;
}

constexpr std::array kCommands{
    MakeCommand("set", -3, kSlowWrite, &Set, "1.0.0", "Set the string value of a key"),
    MakeCommand("setnx", 3, kFastWrite, &SetIfAbsent, "1.0.0",
                "Set the value of a key, only if the key does not exist"),
    MakeCommand("getset", 3, kFastWrite, &GetSet, "1.0.0",
                "Set the string value of a key and return its old value"),
    MakeCommand("getdel", 2, kFlagWrite | kFlagFast, &GetDelete, "6.2.0",
                "Get the value of a key and delete the key"),
    WithPairs(MakeCommand("mset", -3, kSlowWrite, &MultiSet, "1.0.1",
                          "Set multiple keys to multiple values")),
    WithPairs(MakeCommand("msetnx", -3, kSlowWrite, &MultiSetIfAbsent, "1.0.1",
                          "Set multiple keys to multiple values, only if none of the keys exist")),
    MakeCommand("append", 3, kFastWrite, &Append, "2.0.0", "Append a value to a key"),
    MakeCommand("setrange", 4, kSlowWrite, &SetRange, "2.2.0",
                "Overwrite part of a string at key starting at the specified offset"),
};

}  // namespace

std::span<const Command> StringWriteCommands() {
  return kCommands;
}

}  // namespace switchback
