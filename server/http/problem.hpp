// Error answers: RFC 9457 problem documents with the members type, title, status and detail.
// Programs look at `type`, which never changes; people read `detail`.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/http/message.hpp"

namespace switchback {

// Put before the name of a kind of error. A URN, because there is no page to go to.
inline constexpr std::string_view kProblemTypePrefix = "urn:switchback:error:";

// `kind` is a stable name in lower-case-with-dashes. `detail` says what was wrong with this
// request.
HttpResponse ProblemResponse(unsigned status, std::string_view kind, std::string_view detail);

// The problem for an Error: its kind is ErrorCodeName with dashes, its status HttpStatus().
HttpResponse ProblemResponse(const Error& error);

// 503 problems may carry a list of reasons, 409 what is missing: one more member, an array of
// strings, beside the standard ones.
HttpResponse ProblemResponse(unsigned status, std::string_view kind, std::string_view detail,
                             std::string_view member, const std::vector<std::string>& values);

// The reason phrase of a status, "Not Found".
std::string_view HttpReason(unsigned status);

}  // namespace switchback
