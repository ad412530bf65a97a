// Octets of values and what HTTP calls them. A record has no type of its own: what was sent is what
// is stored, and the reader says what it takes it for.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/http/message.hpp"

namespace switchback {

// Checks what the body says it is: application/json (and +json) must be JSON, text/* must be UTF-8,
// everything else are octets. Errors (kInvalidArgument): it is not. kUnsupported: a type that an
// HTML form sends, which may come from any page.
Status CheckRecordBody(const HttpRequest& request);

// The Content-Type for a value: application/octet-stream, or what `accept` asks for if the value is
// that: text/plain (UTF-8) or application/json. Error: kInvalidArgument when it takes nothing that
// the value is.
Result<std::string> ChooseContentType(std::string_view accept, std::string_view value);

}  // namespace switchback
