#include "server/transfer/transfer_record.hpp"

#include <algorithm>

#include "backends/collection.hpp"
#include "common/text.hpp"
#include "flags/strict_json.hpp"

namespace switchback {

bool IsPlainText(std::string_view bytes) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\n' && c != '\r');
  };
  return std::none_of(bytes.begin(), bytes.end(), is_control) && IsUtf8(bytes);
}

Status CheckTransferRecord(const TransferRecord& record, std::size_t value_bytes_max) {
  if (!IsValidCollectionName(record.collection))
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + Printable(record.collection) +
                    "\" is no name of a collection: 1 to 64 of A-Z a-z 0-9 _ . -");
  if (record.key.empty()) return Fail(ErrorCode::kInvalidArgument, "the key is empty");
  if (record.key.size() > kKeyBytesMax)
    return Fail(ErrorCode::kInvalidArgument, "the key has " + std::to_string(record.key.size()) +
                                                 " bytes; a key has at most " +
                                                 std::to_string(kKeyBytesMax));
  if (record.value.size() > value_bytes_max)
    return Fail(ErrorCode::kTooLarge, "the value has " + std::to_string(record.value.size()) +
                                          " bytes; --value-max allows " +
                                          std::to_string(value_bytes_max));
  return {};
}

}  // namespace switchback
