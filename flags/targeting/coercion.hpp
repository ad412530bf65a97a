// JSON values read as JavaScript reads them: what JsonLogic's operators are defined by
// (source: jsonlogic.com, "supported operations"; its reference implementation is in JavaScript).
// Pure; any thread. Strings are bytes, compared and cut as such.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace switchback {

using LogicValue = nlohmann::ordered_json;

// JavaScript's, but an empty array is false, as JsonLogic has it.
bool IsTruthy(const LogicValue& value);

// Number(value): NaN when it is none. "" and null are 0.
double ToNumber(const LogicValue& value);
// parseFloat(value): the number that the text begins with, else NaN.
double ToNumberPrefix(const LogicValue& value);
// String(value). A number as JavaScript writes it, for those below 1e21.
std::string ToText(const LogicValue& value);

// ===. Arrays and objects are equal when what they hold is.
bool IsStrictlyEqual(const LogicValue& left, const LogicValue& right);
// ==, which turns text into numbers where the other side is one.
bool IsLooselyEqual(const LogicValue& left, const LogicValue& right);
// <. Two texts by their bytes, all else as numbers; false with NaN.
bool IsLess(const LogicValue& left, const LogicValue& right);
// <=, which is not the contrary of > where there is a NaN.
bool IsLessOrEqual(const LogicValue& left, const LogicValue& right);

}  // namespace switchback
