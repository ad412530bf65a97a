// Bodies of requests: one JSON object with known members only. A member that is misspelt must not
// be silently ignored in a request that changes where data is read from.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// The object in `body`; an empty body is an empty object. Errors (kInvalidArgument): not a JSON
// object, a member that is not in `known`, a member twice.
Result<nlohmann::ordered_json> ParseBody(std::string_view body,
                                         std::initializer_list<std::string_view> known);

// Optional members: absent leaves what is there. A text has at most 1,000 bytes.
// Errors: kInvalidArgument, with the name.
Status TakeText(const nlohmann::ordered_json& document, const char* name, std::string& text);
Status TakeNames(const nlohmann::ordered_json& document, const char* name,
                 std::vector<std::string>& names);
Status TakeFlag(const nlohmann::ordered_json& document, const char* name, bool& flag);

}  // namespace switchback
