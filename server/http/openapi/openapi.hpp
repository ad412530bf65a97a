// The description of the interface, OpenAPI 3.1. Its source is openapi.json beside this file, which
// becomes part of the program when it is built; tests compare it with the routes that there are.
#pragma once

#include <string_view>

#include "server/http/message.hpp"

namespace switchback {

// openapi.json as it is.
extern const std::string_view kOpenApiText;

// GET /openapi.json
HttpResponse HandleOpenApi();

}  // namespace switchback
