#include "server/http/openapi/openapi.hpp"

#include <string>

namespace switchback {

HttpResponse HandleOpenApi() {
  HttpResponse response;
  response.body = std::string(kOpenApiText);
  return response;
}

}  // namespace switchback
