// The name of one request, for those who look for it in several logs.
#pragma once

#include <string>
#include <string_view>

#include "server/http/message.hpp"

namespace switchback {

inline constexpr std::size_t kRequestIdBytesMax = 128;

// What the client sent as X-Request-Id, if it is 1 to 128 of the characters A-Z a-z 0-9 . _ : / + =
// @ -; else a new one.
std::string RequestIdOf(const HttpRequest& request);

// Puts it into the answer's header and, when the answer is a problem document, into that.
void AddRequestId(HttpResponse& response, std::string_view id);

}  // namespace switchback
