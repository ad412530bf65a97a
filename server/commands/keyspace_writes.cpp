// DEL UNLINK RENAME RENAMENX COPY FLUSHDB FLUSHALL
#include <array>
#include <string>

#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

Status DeleteKeys(Transaction& transaction, CommandContext& context) {
  long long count = 0;
  for (const std::string_view key : context.args.subspan(1)) {
    const auto is_present = IsPresent(transaction, context.collection, key);
    if (!is_present) return Fail(is_present.error());
    if (!*is_present) continue;
    SB_RETURN_IF_ERROR(transaction.Delete(context.collection, key));
    ++count;
  }
  context.reply.Integer(count);
  return {};
}

// A copy of the value: the view would not outlive the write that follows.
Result<std::optional<std::string>> CopyOfValue(Transaction& transaction,
                                               const Collection& collection, std::string_view key) {
  const auto value = GetValue(transaction, collection, key);
  if (!value) return Fail(value.error());
  if (!*value) return std::optional<std::string>();
  return std::optional<std::string>(std::string(**value));
}

// Moves the value of args[1] to args[2]. Returns false when the target exists and must not.
Result<bool> Move(Transaction& transaction, CommandContext& context, bool only_if_absent) {
  const std::string_view source = context.args[1];
  const std::string_view target = context.args[2];
  const auto value = CopyOfValue(transaction, context.collection, source);
  if (!value) return Fail(value.error());
  if (!*value) return FailArgument("no such key");
  if (source == target) return !only_if_absent;
  if (only_if_absent) {
    const auto is_present = IsPresent(transaction, context.collection, target);
    if (!is_present) return Fail(is_present.error());
    if (*is_present) return false;
  }
  if (Status put = PutValue(transaction, context, target, **value); !put) {
    return Fail(std::move(put).error());
  }
  if (Status deleted = transaction.Delete(context.collection, source); !deleted) {
    return Fail(std::move(deleted).error());
  }
  return true;
}

Status Rename(Transaction& transaction, CommandContext& context) {
  const auto is_moved = Move(transaction, context, false);
  if (!is_moved) return Fail(is_moved.error());
  context.reply.Ok();
  return {};
}

Status RenameIfAbsent(Transaction& transaction, CommandContext& context) {
  const auto is_moved = Move(transaction, context, true);
  if (!is_moved) return Fail(is_moved.error());
  context.reply.Boolean(*is_moved);
  return {};
}

struct CopyOptions {
  const Collection* target = nullptr;
  bool may_replace = false;
};

Status ParseCopyOptions(CommandContext& context, CopyOptions& parsed) {
  parsed.target = &context.collection;
  const Arguments options = context.args.subspan(3);
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (EqualsIgnoringCase(options[i], "replace")) {
      parsed.may_replace = true;
    } else if (EqualsIgnoringCase(options[i], "db") && i + 1 < options.size()) {
      auto resolved = context.environment.collections.Resolve(options[++i]);
      if (!resolved) return Fail(std::move(resolved).error());
      parsed.target = *resolved;
    } else {
      return FailSyntax();
    }
  }
  return {};
}

Status Copy(Transaction& transaction, CommandContext& context) {
  CopyOptions options;
  SB_RETURN_IF_ERROR(ParseCopyOptions(context, options));
  const std::string_view source = context.args[1];
  const std::string_view target = context.args[2];
  if (options.target == &context.collection && source == target) {
    return FailArgument("source and destination objects are the same");
  }
  const auto value = CopyOfValue(transaction, context.collection, source);
  if (!value) return Fail(value.error());
  const auto is_taken = IsPresent(transaction, *options.target, target);
  if (!is_taken) return Fail(is_taken.error());
  if (!*value || (*is_taken && !options.may_replace)) {
    context.reply.Integer(0);
    return {};
  }
  SB_RETURN_IF_ERROR(PutValue(transaction, context, *options.target, target, **value));
  context.reply.Integer(1);
  return {};
}

// ASYNC and SYNC are taken and mean the same: one effect clears a collection.
Status CheckFlushOptions(Arguments args) {
  const bool is_valid =
      args.size() == 1 || (args.size() == 2 && (EqualsIgnoringCase(args[1], "async") ||
                                                EqualsIgnoringCase(args[1], "sync")));
  if (!is_valid) return FailSyntax();
  return {};
}

Status FlushCollection(Transaction& transaction, CommandContext& context) {
  SB_RETURN_IF_ERROR(CheckFlushOptions(context.args));
  SB_RETURN_IF_ERROR(transaction.Clear(context.collection));
  context.reply.Ok();
  return {};
}

Status FlushAll(Transaction& transaction, CommandContext& context) {
  SB_RETURN_IF_ERROR(CheckFlushOptions(context.args));
  for (const Collection* collection : context.environment.service.catalog().All()) {
    // Clearing what is empty would make an effect in the log for every name that was ever used.
    bool has_record = false;
    SB_RETURN_IF_ERROR(transaction.Scan(*collection, "", [&](std::string_view, std::string_view) {
      has_record = true;
      return false;
    }));
    if (has_record) SB_RETURN_IF_ERROR(transaction.Clear(*collection));
  }
  context.reply.Ok();
  return {};
}

constexpr Command MakeCommand(std::string_view name, int arity, unsigned flags, int last_key,
                              WriteHandler handler, std::string_view since,
                              std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = flags | kFlagWrite,
                 .first_key = last_key == 0 ? 0 : 1,
                 .last_key = last_key,
                 .key_step = last_key == 0 ? 0 : 1,
                 .group = last_key == 0 ? "server" : "generic",
                 .since = since,
                 .summary = summary,
                 .write = handler};
}

constexpr std::array kCommands{
    MakeCommand("del", -2, 0, -1, &DeleteKeys, "1.0.0", "Delete a key"),
    MakeCommand("unlink", -2, kFlagFast, -1, &DeleteKeys, "4.0.0", "Delete a key"),
    MakeCommand("rename", 3, 0, 2, &Rename, "1.0.0", "Rename a key"),
    MakeCommand("renamenx", 3, kFlagFast, 2, &RenameIfAbsent, "1.0.0",
                "Rename a key, only if the new key does not exist"),
    MakeCommand("copy", -3, kFlagDenyOom, 2, &Copy, "6.2.0", "Copy a key"),
    MakeCommand("flushdb", -1, 0, 0, &FlushCollection, "1.0.0",
                "Remove all keys from the selected collection"),
    MakeCommand("flushall", -1, 0, 0, &FlushAll, "1.0.0", "Remove all keys from all collections"),
};

}  // namespace

std::span<const Command> KeyspaceWriteCommands() {
  return kCommands;
}

}  // namespace switchback
