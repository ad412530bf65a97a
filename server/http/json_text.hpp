// JSON values as text for an answer.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace switchback {

// One line and a newline at its end. Bytes that are not UTF-8 (a path, a key) become U+FFFD, so
// this never fails.
std::string JsonText(const nlohmann::ordered_json& document);

// The same, indented for people.
std::string PrettyJsonText(const nlohmann::ordered_json& document);

}  // namespace switchback
