// The status for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace switchback {

// Several lines from the document of GET /v1/status. Members that are missing (an older server)
// show as empty or 0. Pure.
std::string StatusTable(const nlohmann::ordered_json& status);

}  // namespace switchback
