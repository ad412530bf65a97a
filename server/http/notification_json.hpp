// How notifications and their sinks are written as JSON over HTTP.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "rollback/notify/notifier.hpp"

namespace switchback {

// {"sinks": [...]}
nlohmann::ordered_json NotificationsJson(const std::vector<SinkStatus>& sinks);
// {"results": [{"sink", "outcome", "text"}]}
nlohmann::ordered_json TestOutcomesJson(const std::vector<TestOutcome>& outcomes);

}  // namespace switchback
