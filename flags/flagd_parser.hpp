// From one member of a flagd document's `flags` to a flag.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "flags/flag.hpp"
#include "flags/flagd_flag.hpp"

namespace switchback {

// Whether `value` is flagd's form of a flag and not one of the shorthands.
bool IsFlagdFlag(const nlohmann::ordered_json& value);

// `document` is the whole one: its `$evaluators` are what rules refer to by `$ref`, its `metadata`
// is every flag's. What is wrong with the flag stands in the definition's `error`. Pure.
FlagdDefinition ReadFlagdFlag(const std::string& name, const nlohmann::ordered_json& value,
                              const nlohmann::ordered_json& document);

// The rule for a flag of such a definition. A rule that only names a share, {"fractional": [["on",
// 25], ["off", 75]]}, comes down to that share, and costs what a percentage costs.
FlagRule FlagdRule(FlagdDefinition definition);

// The same, and whether it has an answer for each of a sample of keys. kInvalidArgument, kTooLarge:
// it has not, with what FlagdFlag::Evaluate says.
Result<FlagRule> CheckedFlagdRule(FlagdDefinition definition);

}  // namespace switchback
