// A flag as a flagd document has it (source: flagd.dev, "Flag Definitions"): named variants of any
// type, one of them the default, and a targeting rule that chooses among them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.hpp"

namespace switchback {

// Why a flag has the value that it has: OpenFeature's names.
enum class EvaluationReason { kStatic, kSplit, kTargetingMatch, kDefault, kDisabled };

// "STATIC" "SPLIT" "TARGETING_MATCH" "DEFAULT" "DISABLED".
const char* EvaluationReasonName(EvaluationReason reason);

struct FlagEvaluation {
  std::optional<nlohmann::ordered_json> value;  // none: the caller's own default counts
  std::string variant;                          // "" = none
  EvaluationReason reason = EvaluationReason::kDefault;
};

struct FlagdDefinition {
  std::string name;
  bool is_enabled = true;
  nlohmann::ordered_json variants = nlohmann::ordered_json::object();
  std::optional<std::string> default_variant;
  nlohmann::ordered_json targeting;  // null: none. What it refers to ($ref) stands in it
  nlohmann::ordered_json metadata = nlohmann::ordered_json::object();
  std::string error;  // why it cannot be evaluated; "" = it can

  friend bool operator==(const FlagdDefinition&, const FlagdDefinition&) = default;
};

// Immutable; any thread.
class FlagdFlag {
 public:
  explicit FlagdFlag(FlagdDefinition definition) : definition_(std::move(definition)) {}

  [[nodiscard]] const FlagdDefinition& definition() const { return definition_; }

  // For such a context, an object. What it says under "$flagd" is replaced: the flag's name and
  // `unix_seconds`. Errors: kCorruption (the definition's error), kInvalidArgument (the rule gives
  // a variant that there is none of), kTooLarge (the rule takes too long).
  [[nodiscard]] Result<FlagEvaluation> Evaluate(const nlohmann::ordered_json& context,
                                                std::int64_t unix_seconds) const;

  // Whether the flag is true for the record `key`, whose `entity` is the targeting key; false where
  // it is left to the caller. Takes microseconds. Errors as Evaluate's.
  [[nodiscard]] Result<bool> TryDecide(std::string_view key, std::string_view entity) const;
  // The same, and false where that fails: who cannot be told stays where they are.
  [[nodiscard]] bool Decide(std::string_view key, std::string_view entity) const {
    return TryDecide(key, entity).value_or(false);
  }

  // Every variant's value is true or false.
  [[nodiscard]] bool is_boolean() const;

 private:
  const FlagdDefinition definition_;
};

}  // namespace switchback
