// The guard's settings as JSON: key `guard` of the configuration, and what its status shows.
#pragma once

#include <nlohmann/json.hpp>

#include "common/result.hpp"
#include "rollback/guard/guard_settings.hpp"

namespace switchback {

nlohmann::ordered_json GuardSettingsJson(const GuardSettings& settings);
// Lays the members of an object over `settings`. kInvalidArgument, with the member: unknown, or a
// value that makes no sense; `settings` may be changed in part then.
Status ApplyGuardSettings(const nlohmann::ordered_json& json, GuardSettings& settings);

}  // namespace switchback
