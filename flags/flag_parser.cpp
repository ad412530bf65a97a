#include "flags/flag_parser.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "flags/flagd_parser.hpp"
#include "flags/share.hpp"
#include "flags/strict_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

Status ReadEnabled(const Json& value, FlagSettings& settings) {
  if (!value.is_boolean()) return Invalid("\"enabled\" must be true or false");
  settings.enabled = value.get<bool>();
  return {};
}

Status ReadPercentage(const Json& value, FlagSettings& settings) {
  if (!value.is_number()) return Invalid("\"percentage\" must be a number");
  auto share = ShareFromPercentage(value.get<double>());
  if (!share) return Fail(share.error());
  settings.share = *share;
  return {};
}

Status ReadSalt(const Json& value, FlagSettings& settings) {
  if (!value.is_string()) return Invalid("\"salt\" must be a string");
  settings.salt = value.get_ref<const std::string&>();
  return {};
}

Status ReadBucketing(const Json& value, FlagSettings&) {
  if (value.is_string() && value.get_ref<const std::string&>() == kBucketingName) return {};
  return Invalid(fmt::format("\"bucketing\" can only be \"{}\"", kBucketingName));
}

Status ReadList(const char* name, const Json& value, std::vector<std::string>& list) {
  if (!value.is_array()) return Invalid(fmt::format("\"{}\" must be a list of strings", name));
  for (const Json& entry : value) {
    // An empty entry would match nothing, and whoever wrote it meant something.
    if (!entry.is_string() || entry.get_ref<const std::string&>().empty()) {
      return Invalid(fmt::format("\"{}\" must hold only strings that are not empty", name));
    }
    list.push_back(entry.get_ref<const std::string&>());
  }
  return {};
}

Status ReadMember(const std::string& name, const Json& value, FlagSettings& settings) {
  if (name == "enabled") return ReadEnabled(value, settings);
  if (name == "percentage") return ReadPercentage(value, settings);
  if (name == "salt") return ReadSalt(value, settings);
  if (name == "bucketing") return ReadBucketing(value, settings);
  if (name == "allow") return ReadList("allow", value, settings.allow);
  if (name == "deny") return ReadList("deny", value, settings.deny);
  // A misspelt "percentage" that were skipped would put everybody on the new store.
  return Invalid(fmt::format("unknown member \"{}\"", Printable(name)));
}

Result<FlagRule> ReadFlag(const std::string& name, const Json& value) {
  FlagSettings settings;
  settings.salt = name;
  if (name == kShadowFlagName && !value.is_object()) {
    if (!value.is_number()) return Invalid("must be a number from 0 to 100, or an object");
    settings.enabled = true;
    SB_RETURN_IF_ERROR(ReadPercentage(value, settings));
    return FlagRule(std::move(settings));
  }
  if (value.is_boolean()) {
    settings.enabled = value.get<bool>();
    settings.is_boolean_form = true;
    return FlagRule(std::move(settings));
  }
  if (!value.is_object()) return Invalid("must be true, false or an object");
  if (!value.contains("enabled")) return Invalid("\"enabled\" is missing");
  for (const auto& member : value.items()) {
    SB_RETURN_IF_ERROR(ReadMember(member.key(), member.value(), settings));
  }
  return FlagRule(std::move(settings));
}

// A flag that Switchback itself goes by.
bool IsOurs(const std::string& name) {
  return name == kUnifiedFlagName || name == kShadowFlagName || name == kReadOnlyFlagName ||
         name.starts_with(kOverridePrefix);
}

bool IsFlag(const std::string& name, const Json& value) {
  if (name.starts_with('$')) return false;
  return name == kUnifiedFlagName || name == kShadowFlagName || name.starts_with(kOverridePrefix) ||
         value.is_boolean() || value.is_object();
}

// The variant for nobody in particular, a number, is the share.
Result<FlagRule> ReadFlagdShare(FlagdDefinition definition) {
  const FlagdFlag flag(definition);
  const auto evaluation = flag.Evaluate(Json::object(), 0);
  if (!evaluation) return Fail(evaluation.error());
  FlagSettings settings;
  settings.salt = definition.name;
  settings.flagd = std::make_shared<const FlagdFlag>(std::move(definition));
  settings.enabled = evaluation->value.has_value();
  if (settings.enabled) SB_RETURN_IF_ERROR(ReadPercentage(*evaluation->value, settings));
  return FlagRule(std::move(settings));
}

// What is wrong with a flag of somebody else concerns only whoever asks for it (OFREP).
Result<FlagRule> ReadFlagd(const std::string& name, const Json& value, const Json& document) {
  FlagdDefinition definition = ReadFlagdFlag(name, value, document);
  if (!IsOurs(name)) return FlagdRule(std::move(definition));
  if (!definition.error.empty()) return Invalid(definition.error);
  const bool is_boolean = FlagdFlag(definition).is_boolean();
  if (name == kShadowFlagName && !is_boolean) return ReadFlagdShare(std::move(definition));
  if (!is_boolean) return Invalid("all of its variants must be true or false");
  return CheckedFlagdRule(std::move(definition));
}

// Each member of `members` is a flag.
Result<FlagMap> ReadFlags(const Json& members, const Json& document) {
  FlagMap flags;
  for (const auto& member : members.items()) {
    const std::string& name = member.key();
    if (!IsFlag(name, member.value())) continue;
    auto rule = IsFlagdFlag(member.value()) ? ReadFlagd(name, member.value(), document)
                                            : ReadFlag(name, member.value());
    if (!rule) return Fail(WithContext(rule.error(), "flag " + Printable(name)));
    flags.emplace(name, std::move(*rule));
  }
  return flags;
}

bool IsFlagdDocument(const Json& document) {
  const auto flags = document.find("flags");
  return flags != document.end() && flags->is_object();
}

}  // namespace

Result<FlagMap> ParseFlags(std::string_view json) {
  if (json.size() > kFlagFileBytesMax) {
    return Fail(ErrorCode::kTooLarge, fmt::format("flags of {} bytes: at most {} are read",
                                                  json.size(), kFlagFileBytesMax));
  }
  auto document = ParseStrictJson(json);
  if (!document) return Fail(document.error());
  if (!document->is_object()) return Invalid("the flags must be one JSON object");
  return ReadFlags(FlagMembers(*document), *document);
}

Json& FlagMembers(Json& document) {
  return IsFlagdDocument(document) ? document["flags"] : document;
}

}  // namespace switchback
