#include "server/http/json_response.hpp"

#include <nlohmann/json.hpp>

#include "server/http/json_text.hpp"

namespace switchback {

HttpResponse JsonResponse(const nlohmann::ordered_json& document, unsigned status) {
  HttpResponse response;
  response.status = status;
  response.body = JsonText(document);
  return response;
}

}  // namespace switchback
