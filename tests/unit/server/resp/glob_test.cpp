#include "server/resp/glob.hpp"

#include <gtest/gtest.h>

#include <random>

namespace switchback {
namespace {

TEST(GlobMatches, MatchesAsRedisDoes) {
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "a"));
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("**", "abc"));
  EXPECT_TRUE(GlobMatches("a*c", "abbbc"));
  EXPECT_TRUE(GlobMatches("a*c", "ac"));
  EXPECT_FALSE(GlobMatches("a*c", "acb"));
  EXPECT_TRUE(GlobMatches("h?llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h?llo", "hllo"));
  EXPECT_FALSE(GlobMatches("?", ""));
  EXPECT_TRUE(GlobMatches("*ab*ab", "abxabab"));
}

TEST(GlobMatches, KnowsClasses) {
  EXPECT_TRUE(GlobMatches("h[ae]llo", "hello"));
  EXPECT_FALSE(GlobMatches("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatches("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatches("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatches("[a-c]", "b"));
  EXPECT_TRUE(GlobMatches("[c-a]", "b"));
  EXPECT_FALSE(GlobMatches("[a-c]", "d"));
  EXPECT_TRUE(GlobMatches("[\\]]", "]"));
  EXPECT_TRUE(GlobMatches("[a\\-c]", "-"));
  EXPECT_FALSE(GlobMatches("[a\\-c]", "b"));
  EXPECT_TRUE(GlobMatches("[ab", "b")) << "a class that is not closed ends with the pattern";
  EXPECT_FALSE(GlobMatches("[]", "]"));
  EXPECT_TRUE(GlobMatches("[^]", "x"));
}

TEST(GlobMatches, KnowsEscapes) {
  EXPECT_TRUE(GlobMatches("\\*", "*"));
  EXPECT_FALSE(GlobMatches("\\*", "a"));
  EXPECT_TRUE(GlobMatches("\\?\\[\\\\", "?[\\"));
  EXPECT_TRUE(GlobMatches("a\\", "a\\")) << "a last backslash is itself";
}

TEST(GlobMatches, ComparesBytes) {
  EXPECT_TRUE(GlobMatches("[\x80-\xff]", "\xe9"));
  EXPECT_FALSE(GlobMatches("[a-z]", "\xe9"));
  EXPECT_TRUE(GlobMatches(std::string_view("a\0*", 3), std::string_view("a\0b", 3)));
}

TEST(GlobMatches, MayIgnoreCase) {
  EXPECT_FALSE(GlobMatches("MaxM*", "maxmemory"));
  EXPECT_TRUE(GlobMatches("MaxM*", "maxmemory", LetterCase::kIgnored));
  EXPECT_TRUE(GlobMatches("[A-C]", "b", LetterCase::kIgnored));
}

TEST(GlobMatches, DoesNotExplode) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  pattern += "b";

  EXPECT_FALSE(GlobMatches(pattern, std::string(5000, 'a')));
}

// The plain recursive definition, for short inputs.
bool Reference(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return Reference(pattern.substr(1), text) ||
           (!text.empty() && Reference(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  if (pattern[0] != '?' && pattern[0] != text[0]) return false;
  return Reference(pattern.substr(1), text.substr(1));
}

TEST(GlobMatches, EqualsTheDefinitionOnRandomInput) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&](std::string_view letters, int length_max) {
    std::string word(random() % static_cast<unsigned>(length_max), ' ');
    for (char& c : word) c = letters[random() % letters.size()];
    return word;
  };
  for (int i = 0; i < 20000; ++i) {
    const std::string pattern = pick("ab*?", 8);
    const std::string text = pick("ab", 10);
    ASSERT_EQ(GlobMatches(pattern, text), Reference(pattern, text)) << pattern << " ~ " << text;
  }
}

TEST(GlobLiteralPrefix, IsWhatEveryMatchBeginsWith) {
  EXPECT_EQ(GlobLiteralPrefix("user:1*"), "user:1");
  EXPECT_EQ(GlobLiteralPrefix("a\\*b?c"), "a*b");
  EXPECT_EQ(GlobLiteralPrefix("[ab]c"), "");
  EXPECT_EQ(GlobLiteralPrefix("plain"), "plain");
  EXPECT_EQ(GlobLiteralPrefix("end\\"), "end\\");
}

}  // namespace
}  // namespace switchback
