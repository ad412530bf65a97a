// What each route demands and honours, in one table: the least role that may use it, whether its
// body names an actor, whether it may be sent again with an Idempotency-Key.
#pragma once

#include <vector>

#include "server/http/router.hpp"

namespace switchback {

// Lays the table over the routes. One that is not in it stays an admin's.
void ApplyRouteRules(std::vector<Route>& routes);

}  // namespace switchback
