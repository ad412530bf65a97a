#include "server/commands/values.hpp"

#include <algorithm>

#include "server/errors.hpp"

namespace switchback {

Result<std::vector<std::optional<std::string>>> GetValues(RecordReader& reader,
                                                          const Collection& collection,
                                                          Arguments keys) {
  if (std::all_of(keys.begin(), keys.end(), IsPossibleKey)) {
    return reader.MultiGet(collection, keys);
  }
  // Ask for the possible ones only and put the answers where they belong.
  std::vector<std::string_view> possible;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(possible), IsPossibleKey);
  auto found = reader.MultiGet(collection, possible);
  if (!found) return found;
  std::vector<std::optional<std::string>> values(keys.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (IsPossibleKey(keys[i])) values[i] = std::move((*found)[next++]);
  }
  return values;
}

Result<long long> CountPresent(RecordReader& reader, const Collection& collection, Arguments keys) {
  if (keys.size() == 1) {
    // One key needs no copy of its value.
    const Result<bool> is_present = IsPresent(reader, collection, keys[0]);
    if (!is_present) return Fail(is_present.error());
    return *is_present ? 1 : 0;
  }
  const auto values = GetValues(reader, collection, keys);
  if (!values) return Fail(values.error());
  return std::count_if(values->begin(), values->end(),
                       [](const auto& value) { return value.has_value(); });
}

Result<bool> IsPresent(RecordReader& reader, const Collection& collection, std::string_view key) {
  const auto value = GetValue(reader, collection, key);
  if (!value) return Fail(value.error());
  return value->has_value();
}

Status CheckValueSize(const CommandEnvironment& environment, std::uint64_t bytes) {
  if (bytes <= environment.value_bytes_max) [[likely]]
    return {};
  return Fail(ErrorCode::kTooLarge, std::string(kStringTooLongMessage));
}

Status PutValue(Transaction& transaction, const CommandContext& context,
                const Collection& collection, std::string_view key, std::string_view value) {
  if (!IsPossibleKey(key)) return FailArgument("key must be 1 to 511 bytes");
  SB_RETURN_IF_ERROR(CheckValueSize(context.environment, value.size()));
  return transaction.Put(collection, key, value);
}

Status PutValue(Transaction& transaction, const CommandContext& context, std::string_view key,
                std::string_view value) {
  return PutValue(transaction, context, context.collection, key, value);
}

}  // namespace switchback
