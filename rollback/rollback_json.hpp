// How rollbacks are written as JSON: over HTTP, in the journal, in evidence.
#pragma once

#include <nlohmann/json.hpp>

#include "rollback/rollback_manager.hpp"

namespace switchback {

nlohmann::ordered_json RollbackCheckJson(const RollbackCheck& check);
nlohmann::ordered_json RollbackStatusJson(const RollbackStatus& status);

}  // namespace switchback
