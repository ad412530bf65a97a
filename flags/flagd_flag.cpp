#include "flags/flagd_flag.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "flags/strict_json.hpp"
#include "flags/targeting/logic.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

const char* EvaluationReasonName(EvaluationReason reason) {
  switch (reason) {
    case EvaluationReason::kStatic: return "STATIC";
    case EvaluationReason::kSplit: return "SPLIT";
    case EvaluationReason::kTargetingMatch: return "TARGETING_MATCH";
    case EvaluationReason::kDefault: return "DEFAULT";
    case EvaluationReason::kDisabled: return "DISABLED";
  }
  return "";
}

Result<FlagEvaluation> FlagdFlag::Evaluate(const Json& context, std::int64_t unix_seconds) const {
  if (!definition_.error.empty()) return Fail(ErrorCode::kCorruption, definition_.error);
  FlagEvaluation evaluation;
  evaluation.reason = EvaluationReason::kDisabled;
  if (!definition_.is_enabled) return evaluation;
  std::optional<std::string> variant = definition_.default_variant;
  evaluation.reason = EvaluationReason::kStatic;
  if (!definition_.targeting.is_null()) {
    Json data = context;
    data["$flagd"] = {{"flagKey", definition_.name}, {"timestamp", unix_seconds}};
    const auto chosen = ApplyLogic(definition_.targeting, data);
    if (!chosen) return Fail(chosen.error());
    evaluation.reason = EvaluationReason::kTargetingMatch;
    if (chosen->is_null()) {
      evaluation.reason = EvaluationReason::kDefault;
    } else {
      variant = ToText(*chosen);
    }
  }
  if (!variant) {
    evaluation.reason = EvaluationReason::kDefault;
    return evaluation;
  }
  const auto value = definition_.variants.find(*variant);
  if (value == definition_.variants.end())
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("its rule gives the variant \"{}\", and there is none of that name",
                            Printable(*variant)));
  evaluation.value = *value;
  evaluation.variant = *std::move(variant);
  return evaluation;
}

Result<bool> FlagdFlag::TryDecide(std::string_view key, std::string_view entity) const {
  const Json context{{"targetingKey", entity}, {"key", key}};
  const auto evaluation = Evaluate(context, std::time(nullptr));
  if (!evaluation) return Fail(evaluation.error());
  return evaluation->value && *evaluation->value == true;
}

bool FlagdFlag::is_boolean() const {
  const Json& variants = definition_.variants;
  return std::all_of(variants.begin(), variants.end(),
                     [](const Json& value) { return value.is_boolean(); });
}

}  // namespace switchback
