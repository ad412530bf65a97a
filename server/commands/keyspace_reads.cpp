// EXISTS TOUCH TYPE SCAN KEYS DBSIZE RANDOMKEY
#include <algorithm>
#include <array>
#include <random>

#include "server/commands/key_range.hpp"
#include "server/commands/numbers.hpp"
#include "server/commands/random_key.hpp"
#include "server/commands/table.hpp"
#include "server/commands/values.hpp"

namespace switchback {
namespace {

// One page of SCAN or slice of KEYS stops here, so that huge values don't make it long.
constexpr std::size_t kPageBytesMax = 8ull << 20;
constexpr std::size_t kScanCountDefault = 10;

Status Exists(RecordReader& reader, CommandContext& context) {
  const auto count = CountPresent(reader, context.collection, context.args.subspan(1));
  if (!count) return Fail(count.error());
  context.reply.Integer(*count);
  return {};
}

Status Type(RecordReader& reader, CommandContext& context) {
  const auto is_present = IsPresent(reader, context.collection, context.args[1]);
  if (!is_present) return Fail(is_present.error());
  context.reply.SimpleString(*is_present ? "string" : "none");
  return {};
}

struct ScanOptions {
  std::string_view pattern;
  std::size_t count = kScanCountDefault;
  bool has_other_type = false;  // TYPE asks for what no record is
};

Status ParseScanOptions(Arguments options, ScanOptions& parsed) {
  for (std::size_t i = 0; i < options.size(); i += 2) {
    if (i + 1 >= options.size()) return FailSyntax();
    const std::string_view value = options[i + 1];
    if (EqualsIgnoringCase(options[i], "count")) {
      long long count = 0;
      if (!ParseInteger(value, count)) return FailNotAnInteger();
      if (count < 1) return FailSyntax();
      parsed.count = std::min(static_cast<std::size_t>(count), kScanCountMax);
    } else if (EqualsIgnoringCase(options[i], "match")) {
      if (value.size() > kPatternBytesMax) return FailArgument("pattern is too long");
      parsed.pattern = value;
    } else if (EqualsIgnoringCase(options[i], "type")) {
      parsed.has_other_type = !EqualsIgnoringCase(value, "string");
    } else {
      return FailSyntax();
    }
  }
  return {};
}

void ReplyScanPage(std::uint64_t cursor, const std::vector<std::string>& keys, ReplyWriter& reply) {
  reply.Array(2);
  reply.Bulk(std::to_string(cursor));
  reply.Array(keys.size());
  for (const std::string& key : keys) reply.Bulk(key);
}

Status Scan(RecordReader& reader, CommandContext& context) {
  std::uint64_t cursor = 0;
  if (!ParseCursor(context.args[1], cursor)) return FailArgument("invalid cursor");
  ScanOptions options;
  SB_RETURN_IF_ERROR(ParseScanOptions(context.args.subspan(2), options));
  std::string after;
  if (cursor != 0) {
    auto position = context.environment.scan_cursors.Find(cursor);
    if (!position) {
      return FailArgument("invalid cursor: it is not known any more, begin again with cursor 0");
    }
    after = std::move(*position);
  }
  if (options.has_other_type) {
    ReplyScanPage(0, {}, context.reply);
    return {};
  }
  const auto page = ReadKeyPage(reader, context.collection,
                                {.after = after,
                                 .pattern = options.pattern,
                                 .count_max = options.count,
                                 .bytes_max = kScanPageBytesMax});
  if (!page) return Fail(page.error());
  const std::uint64_t next =
      page->is_end ? 0 : context.environment.scan_cursors.Advance(cursor, page->last);
  ReplyScanPage(next, page->keys, context.reply);
  return {};
}

// In slices, giving the snapshot back between them: a long KEYS makes no store grow. Keys that come
// or go meanwhile may be in the reply or not.
Status Keys(RecordReader& reader, CommandContext& context) {
  const std::string_view pattern = context.args[1];
  if (pattern.size() > kPatternBytesMax) return FailArgument("pattern is too long");
  ByteBuffer keys;
  ReplyWriter key_writer(keys, context.reply.version());
  std::size_t count = 0;
  std::string after;
  bool is_end = false;
  while (!is_end) {
    // An empty pattern matches the empty key only, which no record has.
    const auto page = ReadKeyPage(reader, context.collection,
                                  {.after = after,
                                   .pattern = pattern,
                                   .count_max = pattern.empty() ? 1 : kKeysSliceCount,
                                   .bytes_max = kPageBytesMax});
    if (!page) return Fail(page.error());
    if (pattern.empty()) break;
    for (const std::string& key : page->keys) key_writer.Bulk(key);
    count += page->keys.size();
    if (keys.size() > context.environment.output_bytes_max) {
      return FailArgument("the reply is too long, use SCAN");
    }
    after = page->last;
    is_end = page->is_end;
    if (context.session != nullptr) context.session->EndTurn();
  }
  context.reply.Array(count);
  context.reply.output().Append(keys.view());
  return {};
}

Status CollectionSize(RecordReader& reader, CommandContext& context) {
  const auto count = reader.Count(context.collection);
  if (!count) return Fail(count.error());
  context.reply.Integer(static_cast<long long>(*count));
  return {};
}

Status RandomKey(RecordReader& reader, CommandContext& context) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const auto key = ChooseRandomKey(reader, context.collection, random);
  if (!key) return Fail(key.error());
  if (*key) {
    context.reply.Bulk(**key);
  } else {
    context.reply.Null();
  }
  return {};
}

constexpr Command MakeCommand(std::string_view name, int arity, unsigned flags, ReadHandler handler,
                              std::string_view since, std::string_view summary) {
  return Command{.name = name,
                 .arity = arity,
                 .flags = flags | kFlagReadOnly,
                 .group = "generic",
                 .since = since,
                 .summary = summary,
                 .read = handler};
}

constexpr Command WithKeys(Command command, int last_key) {
  command.first_key = 1;
  command.last_key = last_key;
  command.key_step = 1;
  return command;
}

constexpr std::array kCommands{
    WithKeys(MakeCommand("exists", -2, kFlagFast, &Exists, "1.0.0", "Determine if a key exists"),
             -1),
    WithKeys(MakeCommand("touch", -2, kFlagFast, &Exists, "3.2.1",
                         "Returns the number of existing keys out of those specified"),
             -1),
    WithKeys(MakeCommand("type", 2, kFlagFast, &Type, "1.0.0", "Determine the type stored at key"),
             1),
    MakeCommand("scan", -2, 0, &Scan, "2.8.0", "Incrementally iterate the keys space"),
    MakeCommand("keys", 2, kFlagSlow, &Keys, "1.0.0", "Find all keys matching the given pattern"),
    MakeCommand("dbsize", 1, kFlagSlow, &CollectionSize, "1.0.0",
                "Return the number of keys in the selected collection"),
    MakeCommand("randomkey", 1, kFlagSlow, &RandomKey, "1.0.0",
                "Return a random key from the keyspace"),
};

}  // namespace

std::span<const Command> KeyspaceReadCommands() {
  return kCommands;
}

}  // namespace switchback
