// JsonLogic (source: jsonlogic.com): rules written as JSON, {"operator": [arguments...]}, with
// flagd's operators besides. Pure; any thread.
#pragma once

#include <cstddef>

#include "common/result.hpp"
#include "flags/targeting/coercion.hpp"

namespace switchback {

// One evaluation visits at most so many rules, what it makes counted in: loops within loops must
// end before whoever reads a record has waited noticeably (some milliseconds).
inline constexpr std::size_t kLogicStepsMax = 10'000;

// Whether `rule` can be evaluated at all. kInvalidArgument: it names an operator that does not
// exist, or an object in it is no rule.
Status CheckLogic(const LogicValue& rule);

// What `rule`, which CheckLogic let pass, says about `data`. kTooLarge: past kLogicStepsMax.
Result<LogicValue> ApplyLogic(const LogicValue& rule, const LogicValue& data);

}  // namespace switchback
