// A flag's value as OpenFeature sees it, whatever form it is written in.
#pragma once

#include <cstdint>
#include <string_view>

#include "flags/flag.hpp"
#include "flags/flagd_flag.hpp"

namespace switchback {

// Whether the value depends on the targeting key, and there is no answer without one.
bool NeedsTargetingKey(std::string_view name, const FlagRule& rule);

// `context` is an object; its "targetingKey" is what a record's key is to the service, so that the
// unified flag is true for a key exactly when the flag sends that record to unified. Variants of
// the short forms are "on" and "off"; SHADOW_READ_PERCENTAGE is a number. Pure. Errors as
// FlagdFlag::Evaluate's.
Result<FlagEvaluation> EvaluateFlag(std::string_view name, const FlagRule& rule,
                                    const nlohmann::ordered_json& context,
                                    std::int64_t unix_seconds);

}  // namespace switchback
