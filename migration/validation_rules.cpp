#include "migration/validation_rules.hpp"

#include <nlohmann/json.hpp>

#include "common/text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::json;

tl::unexpected<Error> Wrong(const std::string& collection, const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, "rule of \"" + collection + "\": " + what);
}

Status SetFormat(const std::string& collection, const Json& value, ValidationRule& rule) {
  const std::string name = value.is_string() ? value.get<std::string>() : "";
  if (name == "bytes") {
    rule.format = ValidationRule::Format::kBytes;
  } else if (name == "utf8") {
    rule.format = ValidationRule::Format::kUtf8;
  } else if (name == "json") {
    rule.format = ValidationRule::Format::kJson;
  } else {
    return Wrong(collection, R"("format" must be "json", "utf8" or "bytes")");
  }
  return {};
}

bool IsPointer(const std::string& text) {
  try {
    static_cast<void>(Json::json_pointer(text));
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

Status SetRequired(const std::string& collection, const Json& value, ValidationRule& rule) {
  const std::string expected = R"("required" must be an array of JSON pointers, as ["/id"])";
  if (!value.is_array()) return Wrong(collection, expected);
  for (const Json& pointer : value) {
    if (!pointer.is_string() || !IsPointer(pointer.get_ref<const std::string&>()))
      return Wrong(collection, expected);
    rule.required.push_back(pointer.get<std::string>());
  }
  return {};
}

Status SetBytesMax(const std::string& collection, const std::string& name, const Json& value,
                   std::size_t& bytes_max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0)
    return Wrong(collection, "\"" + name + "\" must be a whole number above 0");
  bytes_max = value.get<std::size_t>();
  return {};
}

Result<ValidationRule> ParseRule(const std::string& collection, const Json& json) {
  if (!json.is_object()) return Wrong(collection, "must be an object");
  ValidationRule rule;
  for (const auto& [name, value] : json.items()) {
    Status set = Wrong(collection, "there is no \"" + name + "\"");
    if (name == "format") set = SetFormat(collection, value, rule);
    if (name == "required") set = SetRequired(collection, value, rule);
    if (name == "key_bytes_max") set = SetBytesMax(collection, name, value, rule.key_bytes_max);
    if (name == "value_bytes_max") set = SetBytesMax(collection, name, value, rule.value_bytes_max);
    if (!set) return Fail(set.error());
  }
  if (!rule.required.empty() && rule.format != ValidationRule::Format::kJson)
    return Wrong(collection, R"("required" needs "format": "json")");
  return rule;
}

std::optional<std::string> WhyNotJson(const ValidationRule& rule, std::string_view value) {
  if (rule.required.empty()) {
    if (Json::accept(value)) return std::nullopt;
    return "the value is not JSON";
  }
  const Json document = Json::parse(value, nullptr, false);
  if (document.is_discarded()) return "the value is not JSON";
  for (const std::string& pointer : rule.required) {
    if (!document.contains(Json::json_pointer(pointer)))
      return "the value has nothing at \"" + pointer + "\"";
  }
  return std::nullopt;
}

}  // namespace

Result<ValidationRules> ValidationRules::Parse(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object())
    return Fail(ErrorCode::kInvalidArgument,
                "must be an object of collections and their rules, as {\"users\": {\"format\": "
                "\"json\"}}");
  ValidationRules rules;
  for (const auto& [collection, value] : document.items()) {
    auto rule = ParseRule(collection, value);
    if (!rule) return Fail(rule.error());
    rules.rules_.emplace(collection, *std::move(rule));
  }
  return rules;
}

const ValidationRule* ValidationRules::Find(std::string_view collection) const {
  auto rule = rules_.find(collection);
  if (rule == rules_.end()) rule = rules_.find("*");
  return rule == rules_.end() ? nullptr : &rule->second;
}

std::optional<std::string> WhyInvalid(const ValidationRule& rule, std::string_view key,
                                      std::string_view value) {
  if (rule.key_bytes_max > 0 && key.size() > rule.key_bytes_max)
    return "the key has " + std::to_string(key.size()) + " bytes, the rule allows " +
           std::to_string(rule.key_bytes_max);
  if (rule.value_bytes_max > 0 && value.size() > rule.value_bytes_max)
    return "the value has " + std::to_string(value.size()) + " bytes, the rule allows " +
           std::to_string(rule.value_bytes_max);
  if (rule.format == ValidationRule::Format::kUtf8 && !IsUtf8(value))
    return "the value is not UTF-8";
  if (rule.format == ValidationRule::Format::kJson) return WhyNotJson(rule, value);
  return std::nullopt;
}

}  // namespace switchback
