#include "server/http/body.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "flags/strict_json.hpp"

namespace switchback {

Result<nlohmann::ordered_json> ParseBody(std::string_view body,
                                         std::initializer_list<std::string_view> known) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return nlohmann::ordered_json::object();
  auto document = ParseStrictJson(body);
  if (!document) return Fail(WithContext(document.error(), "body"));
  if (!document->is_object())
    return Fail(ErrorCode::kInvalidArgument, "body: must be one JSON object");
  for (const auto& member : document->items()) {
    if (std::find(known.begin(), known.end(), member.key()) == known.end())
      return Fail(ErrorCode::kInvalidArgument,
                  "body: unknown member \"" + Printable(member.key()) + "\"");
  }
  return document;
}

Status TakeText(const nlohmann::ordered_json& document, const char* name, std::string& text) {
  constexpr std::size_t kTextBytesMax = 1000;
  if (!document.contains(name)) return {};
  const auto& value = document[name];
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kTextBytesMax)
    return Fail(ErrorCode::kInvalidArgument, std::string("body: \"") + name +
                                                 "\" must be a string of at most " +
                                                 std::to_string(kTextBytesMax) + " bytes");
  text = value.get<std::string>();
  return {};
}

Status TakeNames(const nlohmann::ordered_json& document, const char* name,
                 std::vector<std::string>& names) {
  if (!document.contains(name)) return {};
  const auto& list = document[name];
  const auto is_text = [](const nlohmann::ordered_json& one) { return one.is_string(); };
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), is_text))
    return Fail(ErrorCode::kInvalidArgument,
                std::string("body: \"") + name + "\" must be an array of names");
  names = list.get<std::vector<std::string>>();
  return {};
}

Status TakeFlag(const nlohmann::ordered_json& document, const char* name, bool& flag) {
  if (!document.contains(name)) return {};
  if (!document[name].is_boolean())
    return Fail(ErrorCode::kInvalidArgument,
                std::string("body: \"") + name + "\" must be true or false");
  flag = document[name].get<bool>();
  return {};
}

}  // namespace switchback
