// Records as CSV (RFC 4180) with the header row collection,key,value,key_encoding,value_encoding.
// An encoding is "text" or "base64". Rows end with a line feed alone; fields with commas, quotes or
// line breaks stand in quotes. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/transfer/transfer_record.hpp"

namespace switchback {

inline constexpr std::string_view kCsvHeader = "collection,key,value,key_encoding,value_encoding\n";

// Appends the row with its newline.
void AppendCsvRow(std::string_view collection, std::string_view key, std::string_view value,
                  std::string& out);

// The fields of one row without its line break, into `fields`. Strict: a quote inside a field
// without quotes, or anything but a comma behind a closing quote, is an error (kInvalidArgument).
Status ParseCsvRow(std::string_view row, std::vector<std::string>& fields);

// Where the columns of a file stand.
class CsvColumns {
 public:
  // Columns may stand in any order; key and value must be there. Errors (kInvalidArgument): one is
  // missing, not known, or there twice.
  static Result<CsvColumns> Parse(const std::vector<std::string>& header);

  // The record of a row; without a column "collection", or with an empty field there,
  // `default_collection`'s. Takes the fields' bytes. Errors (kInvalidArgument): another number of
  // fields, an encoding that is not known, no base64, no collection.
  Result<TransferRecord> Take(std::vector<std::string>& fields,
                              std::string_view default_collection) const;

 private:
  std::size_t count_ = 0;
  std::optional<std::size_t> collection_, key_, value_, key_encoding_, value_encoding_;
};

}  // namespace switchback
