// One record on its way into or out of a file, and how its bytes stand there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/limits.hpp"
#include "common/result.hpp"

namespace switchback {

enum class TransferFormat : std::uint8_t { kJsonl, kCsv };

struct TransferRecord {
  std::string collection;
  std::string key;
  std::string value;

  friend bool operator==(const TransferRecord&, const TransferRecord&) = default;
};

// Whether `bytes` stand in a file as they are: UTF-8 without control characters but tab, line feed
// and carriage return. Everything else is base64 there: editors and spreadsheets would change it.
bool IsPlainText(std::string_view bytes);

// Whether a store can hold it. Errors: kInvalidArgument (the collection's name, the key's size),
// kTooLarge (the value).
Status CheckTransferRecord(const TransferRecord& record, std::size_t value_bytes_max);

// The longest line that a record with such a value can need: base64, or quotes that all need an
// escape.
constexpr std::size_t TransferLineBytesMax(std::size_t value_bytes_max) {
  return 2 * value_bytes_max + (64u << 10);
}

}  // namespace switchback
