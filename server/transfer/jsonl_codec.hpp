// Records as JSON lines: {"collection":"users","key":"alice","value":"..."}; bytes that are no
// plain text stand as base64 under "key_base64" and "value_base64". Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/transfer/transfer_record.hpp"

namespace switchback {

// Appends the line with its newline.
void AppendJsonLine(std::string_view collection, std::string_view key, std::string_view value,
                    std::string& out);

// The record of a line without its newline. Members may stand in any order; without "collection" it
// is `default_collection`. Errors (kInvalidArgument): not one JSON object, a member that is not
// known, twice or no string, no base64, key or value missing or there twice, no collection.
Result<TransferRecord> ParseJsonLine(std::string_view line, std::string_view default_collection);

}  // namespace switchback
