// The query of a request's path: names and values, percent-decoded.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace switchback {

// "a=1&b=%00" as a map. Values may hold any bytes; a name without '=' has the value "". Error
// (kInvalidArgument): a stray '%', a name twice.
Result<std::map<std::string, std::string>> ParseQuery(std::string_view query);

// The text as part of a query: everything but letters, digits and "-._~" as %XX.
std::string PercentEncode(std::string_view bytes);

}  // namespace switchback
