#include "server/commands/numbers.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

namespace switchback {
namespace {

std::optional<long long> Parse(std::string_view text) {
  long long value = 0;
  return ParseInteger(text, value) ? std::optional(value) : std::nullopt;
}

TEST(ParseInteger, TakesTheCanonicalFormOnly) {
  EXPECT_EQ(Parse("0"), 0);
  EXPECT_EQ(Parse("-1"), -1);
  EXPECT_EQ(Parse("9223372036854775807"), std::numeric_limits<long long>::max());
  EXPECT_EQ(Parse("-9223372036854775808"), std::numeric_limits<long long>::min());
  for (const char* text : {"", "-", "+1", "01", "-0", "-01", "1 ", " 1", "1a", "0x1", "1.0",
                           "9223372036854775808", "-9223372036854775809", "--1"}) {
    EXPECT_EQ(Parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(Parse(std::string_view("1\0", 2)), std::nullopt);
}

TEST(ParseCursor, TakesDigitsOnly) {
  std::uint64_t cursor = 0;
  EXPECT_TRUE(ParseCursor("18446744073709551615", cursor));
  EXPECT_EQ(cursor, std::numeric_limits<std::uint64_t>::max());
  for (const char* text : {"", "-1", "x", "1x", " 1", "18446744073709551616"}) {
    EXPECT_FALSE(ParseCursor(text, cursor)) << text;
  }
}

TEST(FormatLongDouble, IsShortAndNeverMinusZero) {
  EXPECT_EQ(FormatLongDouble(0), "0");
  EXPECT_EQ(FormatLongDouble(-0.0L), "0");
  EXPECT_EQ(FormatLongDouble(1.5L), "1.5");
  EXPECT_EQ(FormatLongDouble(-1e-30L), "0");
  EXPECT_EQ(FormatLongDouble(100), "100");
  EXPECT_EQ(FormatLongDouble(3.0e3L), "3000");
  EXPECT_EQ(FormatLongDouble(std::numeric_limits<long double>::max()).size(), 4933u);
}

TEST(ParseLongDouble, RefusesWhatRedisRefuses) {
  long double value = 0;
  EXPECT_TRUE(ParseLongDouble("1e3", value));
  EXPECT_EQ(value, 1000);
  EXPECT_TRUE(ParseLongDouble("-inf", value));
  for (const char* text : {"", " 1", "1 ", "nan", "abc", "1e99999", "1e-99999"}) {
    EXPECT_FALSE(ParseLongDouble(text, value)) << text;
  }
  EXPECT_FALSE(ParseLongDouble(std::string_view("1\0", 2), value));
  EXPECT_FALSE(ParseLongDouble(std::string(6000, '1'), value));
}

}  // namespace
}  // namespace switchback
