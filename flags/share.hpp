// A percentage as people write it, and as the evaluator counts it: thousandths of a percent.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.hpp"

namespace switchback {

// `percentage` 0..100 with up to three decimals, as thousandths of a percent. What binary floating
// point adds to such a number (0.1 + 0.2) is forgiven, a real fourth decimal is not: rounding it
// would route other keys than the file says. Error: kInvalidArgument.
Result<std::uint32_t> ShareFromPercentage(double percentage);

// The shortest decimal form, also a valid JSON number: 25000 -> "25", 12345 -> "12.345", 50 ->
// "0.05". `share` <= kShareTotal.
std::string FormatPercentage(std::uint32_t share);

}  // namespace switchback
