// The operators whose arguments are all evaluated before they are: JsonLogic's, and flagd's
// `fractional`, `starts_with`, `ends_with` and `sem_ver`. Those that see a rule and not its value
// (`if`, `and`, `map`...) are in logic.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "flags/targeting/coercion.hpp"

namespace switchback {

// `data` is what the whole rule is applied to at that place. Pure; null where the operator has no
// answer for such arguments.
using LogicOperator = LogicValue (*)(const std::vector<LogicValue>& arguments,
                                     const LogicValue& data);

// nullptr: there is none of that name.
LogicOperator FindLogicOperator(std::string_view name);

// The value at the dotted path `path` of `data`; nullptr when there is none. "" is `data` itself.
const LogicValue* FindVariable(const LogicValue& data, const LogicValue& path);

}  // namespace switchback
