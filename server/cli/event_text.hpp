// One event as a line for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace switchback {

// "2026-11-21T10:00:00.123Z  backup     create 20261121... running, copy, 45 %, 3 s left".
std::string DescribeEvent(std::string_view topic, const nlohmann::ordered_json& data);

}  // namespace switchback
