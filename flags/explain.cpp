#include "flags/explain.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/check.hpp"
#include "common/text.hpp"
#include "flags/entity_list.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

ExplainCause CauseOf(const FlagRule& rule, std::string_view entity, std::uint32_t bucket) {
  if (!rule.enabled()) return ExplainCause::kDisabled;
  if (rule.is_targeted()) return ExplainCause::kTargeted;
  if (EntityList(rule.deny()).Contains(entity)) return ExplainCause::kDenied;
  if (EntityList(rule.allow()).Contains(entity)) return ExplainCause::kAllowed;
  return bucket < rule.share() ? ExplainCause::kBelowShare : ExplainCause::kAboveShare;
}

double Percent(std::uint32_t share) {
  return static_cast<double>(share) / 1000;
}

std::string TextOf(const FlagExplanation& explanation) {
  switch (explanation.cause) {
    case ExplainCause::kDisabled: return "the flag is off";
    case ExplainCause::kDenied: return "the flag's deny list names it";
    case ExplainCause::kAllowed: return "the flag's allow list names it";
    case ExplainCause::kBelowShare:
      return fmt::format("its bucket {:.3f} is below the share {:.3f} %",
                         Percent(explanation.bucket), Percent(explanation.share));
    case ExplainCause::kAboveShare:
      return fmt::format("its bucket {:.3f} is not below the share {:.3f} %",
                         Percent(explanation.bucket), Percent(explanation.share));
    case ExplainCause::kTargeted:
      return fmt::format("the flag's targeting rule says {}", explanation.is_on ? "on" : "off");
  }
  return "";
}

void AddBytes(const char* name, const std::string& bytes, Json& json) {
  if (IsUtf8(bytes)) json[name] = bytes;
  json[std::string(name) + "_base64"] = EncodeBase64(bytes);
}

}  // namespace

const char* ExplainCauseName(ExplainCause cause) {
  switch (cause) {
    case ExplainCause::kDisabled: return "disabled";
    case ExplainCause::kDenied: return "denied";
    case ExplainCause::kAllowed: return "allowed";
    case ExplainCause::kBelowShare: return "below-share";
    case ExplainCause::kAboveShare: return "above-share";
    case ExplainCause::kTargeted: return "targeted";
  }
  return "";
}

FlagExplanation ExplainFlag(const FlagRule& rule, std::string_view key) {
  FlagExplanation explanation;
  explanation.key = key;
  explanation.entity = EntityOf(key);
  explanation.bucket = BucketOf(Murmur3Prefix(rule.salt()).Finish(explanation.entity));
  explanation.share = rule.share();
  explanation.cause = CauseOf(rule, explanation.entity, explanation.bucket);
  explanation.is_on = explanation.cause == ExplainCause::kTargeted
                          ? rule.Decide(key)
                          : explanation.cause == ExplainCause::kAllowed ||
                                explanation.cause == ExplainCause::kBelowShare;
  SB_CHECK(explanation.cause == ExplainCause::kTargeted || explanation.is_on == rule.Decide(key),
           "an explanation is of the decision");
  return explanation;
}

std::string FlagExplanationToJson(const FlagExplanation& explanation) {
  Json json = Json::object();
  AddBytes("key", explanation.key, json);
  AddBytes("entity", explanation.entity, json);
  json["bucket"] = Percent(explanation.bucket);
  json["share"] = Percent(explanation.share);
  json["is_on"] = explanation.is_on;
  json["cause"] = ExplainCauseName(explanation.cause);
  json["text"] = TextOf(explanation);
  return json.dump();
}

}  // namespace switchback
