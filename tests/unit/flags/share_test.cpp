#include "flags/share.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "flags/bucket.hpp"

namespace switchback {
namespace {

TEST(Share, EveryPercentageOfThreeDecimalsComesBack) {
  for (std::uint32_t share = 0; share <= kShareTotal; ++share) {
    const std::string text = FormatPercentage(share);
    const auto parsed = ShareFromPercentage(std::stod(text));
    ASSERT_TRUE(parsed) << text;
    ASSERT_EQ(*parsed, share) << text;
  }
}

TEST(Share, IsWrittenInItsShortestForm) {
  EXPECT_EQ(FormatPercentage(0), "0");
  EXPECT_EQ(FormatPercentage(1), "0.001");
  EXPECT_EQ(FormatPercentage(50), "0.05");
  EXPECT_EQ(FormatPercentage(10'000), "10");
  EXPECT_EQ(FormatPercentage(12'340), "12.34");
  EXPECT_EQ(FormatPercentage(100'000), "100");
}

TEST(Share, ForgivesBinaryFloatingPointButNotAFourthDecimal) {
  EXPECT_EQ(ShareFromPercentage(0.1 + 0.2).value_or(0), 300u);
  EXPECT_EQ(ShareFromPercentage(-0.0).value_or(1), 0u);

  EXPECT_FALSE(ShareFromPercentage(0.0001));
  EXPECT_FALSE(ShareFromPercentage(33.33333));
  EXPECT_FALSE(ShareFromPercentage(99.9999));
}

TEST(Share, RefusesWhatIsOutsideZeroToAHundred) {
  for (const double percentage :
       {-0.001, -1.0, 100.001, 101.0, 1e300, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), std::nan("")}) {
    const auto share = ShareFromPercentage(percentage);
    ASSERT_FALSE(share) << percentage;
    EXPECT_EQ(share.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace switchback
