// What the command groups share: reading and writing one value with Redis's limits and texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/commands/command.hpp"
#include "server/commands/environment.hpp"

namespace switchback {

// No record can have another key (LMDB's limit).
inline bool IsPossibleKey(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax;
}

inline tl::unexpected<Error> FailArgument(const char* message) {
  return Fail(ErrorCode::kInvalidArgument, message);
}
inline tl::unexpected<Error> FailSyntax() {
  return FailArgument("syntax error");
}
inline tl::unexpected<Error> FailExpiry() {
  return FailArgument("expiry is not supported");
}
inline tl::unexpected<Error> FailNotAnInteger() {
  return FailArgument("value is not an integer or out of range");
}

// The value of a key, as RecordReader::Get; a key that no record can have is absent. The view is
// valid until the next call on the reader.
inline Result<std::optional<std::string_view>> GetValue(RecordReader& reader,
                                                        const Collection& collection,
                                                        std::string_view key) {
  if (!IsPossibleKey(key)) [[unlikely]]
    return std::optional<std::string_view>();
  return reader.Get(collection, key);
}

// The values of several keys at one point in time, in the order asked.
Result<std::vector<std::optional<std::string>>> GetValues(RecordReader& reader,
                                                          const Collection& collection,
                                                          Arguments keys);

// How many of `keys` have a record, at one point in time; a key named twice counts twice.
Result<long long> CountPresent(RecordReader& reader, const Collection& collection, Arguments keys);

// True when the key has a record.
Result<bool> IsPresent(RecordReader& reader, const Collection& collection, std::string_view key);

// kTooLarge with Redis's text when a value of `bytes` is past the limit.
Status CheckValueSize(const CommandEnvironment& environment, std::uint64_t bytes);

// Errors: kInvalidArgument (key), kTooLarge with Redis's text (value), and Transaction::Put's.
Status PutValue(Transaction& transaction, const CommandContext& context,
                const Collection& collection, std::string_view key, std::string_view value);
Status PutValue(Transaction& transaction, const CommandContext& context, std::string_view key,
                std::string_view value);

}  // namespace switchback
