// An answer that is a JSON document.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "server/http/message.hpp"

namespace switchback {

HttpResponse JsonResponse(const nlohmann::ordered_json& document, unsigned status = 200);

}  // namespace switchback
