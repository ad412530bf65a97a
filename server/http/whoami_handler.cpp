#include <nlohmann/json.hpp>

#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"

namespace switchback {

HttpResponse HandleWhoAmI(const Principal& caller, const std::vector<Route>& routes) {
  nlohmann::ordered_json operations = nlohmann::ordered_json::array();
  for (const Route& route : routes) {
    if (!route.is_open && MayAct(caller.role, route.role))
      operations.push_back(route.method + " " + route.pattern);
  }
  return JsonResponse({{"name", caller.name},
                       {"role", AccessRoleName(caller.role)},
                       {"operations", std::move(operations)}});
}

}  // namespace switchback
