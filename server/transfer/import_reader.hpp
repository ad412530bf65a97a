// The records of a file, one after the other, each with the line that it begins on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/transfer/transfer_record.hpp"

namespace switchback {

struct ImportReaderOptions {
  TransferFormat format = TransferFormat::kJsonl;
  std::string default_collection = {};  // of lines that name none; "" = they are wrong
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  std::uint64_t from_line = 1;  // what begins before is passed over unread
};

struct ImportItem {
  std::uint64_t line = 0;
  Result<TransferRecord> record;  // or what is wrong with it
  std::string_view text;          // as in the file; "" when too long; valid until the next Next
};

// One thread. Memory is bounded by the longest line that a record can need.
class ImportReader {
 public:
  // `descriptor` outlives it. Nothing is read yet.
  static std::unique_ptr<ImportReader> Make(int descriptor, ImportReaderOptions options);
  virtual ~ImportReader() = default;

  // The next record, right or wrong; nullopt at the end. Lines without anything are passed over.
  // Errors are those behind which nothing can be read any more: kIo, kInvalidArgument with the line
  // (the header of a CSV file, a quote that is never closed).
  virtual Result<std::optional<ImportItem>> Next() = 0;

  [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
  // The first row of a CSV file with its newline; "" elsewhere, and before it was read.
  [[nodiscard]] virtual std::string header() const { return {}; }
};

}  // namespace switchback
