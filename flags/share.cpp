#include "flags/share.hpp"

#include <fmt/format.h>

#include <cmath>

#include "common/check.hpp"
#include "flags/bucket.hpp"

namespace switchback {
namespace {

constexpr double kSharesPerPercent = kShareTotal / 100.0;

// Sums of decimal fractions stray by about 1e-11 thousandths below 100; a fourth decimal is 0.1.
constexpr double kShareTolerance = 1e-6;

}  // namespace

Result<std::uint32_t> ShareFromPercentage(double percentage) {
  // Written so that a NaN is refused as well.
  if (!(percentage >= 0.0 && percentage <= 100.0)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("percentage {} is outside 0..100", percentage));
  }
  const double exact = percentage * kSharesPerPercent;
  const double rounded = std::round(exact);
  if (std::abs(exact - rounded) > kShareTolerance) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("percentage {} has more than three decimals", percentage));
  }
  return static_cast<std::uint32_t>(rounded);
}

std::string FormatPercentage(std::uint32_t share) {
  SB_CHECK(share <= kShareTotal, "a share is at most everybody");
  std::string text = fmt::format("{}.{:03}", share / 1000, share % 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace switchback
