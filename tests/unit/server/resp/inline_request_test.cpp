#include "server/resp/inline_request.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace switchback {
namespace {

using Words = std::vector<std::string>;

std::optional<Words> Split(std::string_view line) {
  std::string bytes;
  std::vector<Slice> slices;
  if (!SplitInlineRequest(line, bytes, slices)) return std::nullopt;
  Words words;
  for (const Slice& slice : slices) words.push_back(bytes.substr(slice.offset, slice.size));
  return words;
}

TEST(SplitInlineRequest, SplitsAtWhiteSpace) {
  EXPECT_EQ(Split("  SET\t a   b \r"), (Words{"SET", "a", "b"}));
  EXPECT_EQ(Split(""), Words{});
  EXPECT_EQ(Split(" \t\v\f "), Words{});
}

TEST(SplitInlineRequest, ReadsEscapesBetweenDoubleQuotes) {
  EXPECT_EQ(Split(R"("\n\r\t\b\a\\\"\q")"), (Words{"\n\r\t\b\a\\\"q"}));
  EXPECT_EQ(Split(R"("\x41\x0a\xfF")"), (Words{"A\n\xff"}));
  EXPECT_EQ(Split(R"("\x4g\x")"), (Words{"x4gx"}));
  EXPECT_EQ(Split(R"("\x00")"), (Words{std::string(1, '\0')}));
}

TEST(SplitInlineRequest, KnowsOnlyTheQuoteBetweenSingleQuotes) {
  EXPECT_EQ(Split(R"('a\'b' 'c\n' '"')"), (Words{"a'b", "c\\n", "\""}));
}

TEST(SplitInlineRequest, ReadsEmptyAndGluedWords) {
  EXPECT_EQ(Split(R"("" '' a"b c")"), (Words{"", "", "ab c"}));
}

TEST(SplitInlineRequest, RefusesUnbalancedQuotes) {
  EXPECT_EQ(Split(R"("a)"), std::nullopt);
  EXPECT_EQ(Split("'a"), std::nullopt);
  EXPECT_EQ(Split(R"("a"b)"), std::nullopt);
  EXPECT_EQ(Split("'a'b"), std::nullopt);
  EXPECT_EQ(Split(R"("a\)"), std::nullopt);
  EXPECT_EQ(Split(R"('a\')"), std::nullopt);
}

}  // namespace
}  // namespace switchback
