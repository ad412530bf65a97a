#include "flags/flag_evaluation.hpp"

#include <string>

#include "flags/entity_list.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string TargetingKey(const Json& context) {
  const auto key = context.find("targetingKey");
  return key != context.end() && key->is_string() ? key->get<std::string>() : "";
}

FlagEvaluation Boolean(bool is_on, EvaluationReason reason) {
  return {Json(is_on), is_on ? "on" : "off", reason};
}

EvaluationReason ReasonOf(const FlagRule& rule, std::string_view entity) {
  if (!rule.enabled()) return EvaluationReason::kDisabled;
  if (rule.is_boolean_form()) return EvaluationReason::kStatic;
  const bool is_listed =
      EntityList(rule.deny()).Contains(entity) || EntityList(rule.allow()).Contains(entity);
  return is_listed ? EvaluationReason::kTargetingMatch : EvaluationReason::kSplit;
}

Result<FlagEvaluation> EvaluateFlagd(const FlagRule& rule, Json context,
                                     std::int64_t unix_seconds) {
  const std::string key = TargetingKey(context);
  if (!key.empty() && !context.contains("key")) context["key"] = key;
  if (!key.empty()) context["targetingKey"] = EntityOf(key);
  return rule.flagd()->Evaluate(context, unix_seconds);
}

}  // namespace

bool NeedsTargetingKey(std::string_view name, const FlagRule& rule) {
  return rule.flagd() == nullptr && !rule.is_constant() && name != kShadowFlagName;
}

Result<FlagEvaluation> EvaluateFlag(std::string_view name, const FlagRule& rule,
                                    const Json& context, std::int64_t unix_seconds) {
  if (rule.flagd() != nullptr) return EvaluateFlagd(rule, context, unix_seconds);
  if (name == kShadowFlagName) {
    const EvaluationReason reason =
        rule.enabled() ? EvaluationReason::kStatic : EvaluationReason::kDisabled;
    return FlagEvaluation{Json(rule.share() / 1000.0), "", reason};
  }
  const std::string key = TargetingKey(context);
  return Boolean(rule.Decide(key), rule.is_constant() && rule.is_boolean_form()
                                       ? EvaluationReason::kStatic
                                       : ReasonOf(rule, EntityOf(key)));
}

}  // namespace switchback
