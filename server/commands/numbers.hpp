// Numbers as Redis reads and writes them in keys' values and arguments. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace switchback {

// A 64-bit integer in its one canonical form: no '+', no leading zeros, no "-0", no white space,
// nothing behind it (Redis's string2ll). Returns false, and leaves `value` alone, for anything
// else.
bool ParseInteger(std::string_view text, long long& value);

// A SCAN cursor: decimal digits of a 64-bit unsigned integer.
bool ParseCursor(std::string_view text, std::uint64_t& cursor);

// A number for INCRBYFLOAT: what strtold takes, without leading white space, nothing behind it, not
// NaN, in range (Redis's string2ld). Infinities parse.
bool ParseLongDouble(std::string_view text, long double& value);

// "%.17Lf" without trailing zeros, never "-0" (Redis's ld2string, human mode). `value` is finite.
std::string FormatLongDouble(long double value);

}  // namespace switchback
