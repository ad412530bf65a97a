// How the guard's status is written as JSON: over HTTP, in its latch, in evidence.
#pragma once

#include <nlohmann/json.hpp>

#include "rollback/guard/guard.hpp"

namespace switchback {

nlohmann::ordered_json GuardStreamJson(const GuardStreamStatus& stream);
nlohmann::ordered_json LatchedJson(const Latched& latched);
nlohmann::ordered_json GuardStatusJson(const GuardStatus& status);

}  // namespace switchback
