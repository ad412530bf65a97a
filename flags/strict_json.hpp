// JSON text read without guessing: what common parsers let pass is an error here.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// Deeper nesting than any flag file needs.
inline constexpr std::size_t kJsonDepthMax = 64;

// The value of `text`, members in the order written. Errors (kInvalidArgument, with line and
// column): not JSON, not UTF-8, a number out of range, two members of one object with the same name
// (most parsers silently take the last), nesting past kJsonDepthMax. Throws nothing.
Result<nlohmann::ordered_json> ParseStrictJson(std::string_view text);

// `text` fit for a message: printable ASCII, the rest as '?', cut after 100 bytes. Text from a file
// goes into logs, headers and JSON, and must not break them.
std::string Printable(std::string_view text);

}  // namespace switchback
