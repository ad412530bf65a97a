#include "server/http/json_text.hpp"

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

}  // namespace

std::string JsonText(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, kReplace) + "\n";
}

std::string PrettyJsonText(const nlohmann::ordered_json& document) {
  return document.dump(2, ' ', false, kReplace) + "\n";
}

}  // namespace switchback
