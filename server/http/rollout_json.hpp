// A rollout as JSON: over HTTP and for commands.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "rollback/rollout/rollout.hpp"

namespace switchback {

nlohmann::ordered_json RolloutJson(const RolloutStatus& status, const RoutingStatus& routing);
// Of a dry run; `now` is when it would begin.
nlohmann::ordered_json RolloutPlanJson(const RolloutPlan& plan, WallTime now);

}  // namespace switchback
