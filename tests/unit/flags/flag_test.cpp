#include "flags/flag.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "flags/share.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace {
std::atomic<std::size_t> allocation_count{0};
}  // namespace

#if !defined(__clang__)  // clang's sanitizers bring these operators themselves
// Counts what this program allocates, for the one test that promises none.
void* operator new(std::size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace switchback {
namespace {

using testing_flags::RuleOf;

std::string User(int number) {
  return "user:" + std::to_string(number);
}

std::vector<int> UsersOn(const FlagRule& rule, int count) {
  std::vector<int> users;
  for (int user = 0; user < count; ++user) {
    if (rule.Decide(User(user))) users.push_back(user);
  }
  return users;
}

TEST(FlagRule, IsOffForEverybodyByDefault) {
  const FlagRule rule;

  EXPECT_TRUE(rule.is_constant());
  EXPECT_FALSE(rule.Constant());
  EXPECT_FALSE(rule.Decide("a"));
  EXPECT_EQ(rule.share(), 0u);
}

TEST(FlagRule, ABooleanIsOneAnswerForEverybody) {
  const FlagRule on = RuleOf("true");
  const FlagRule off = RuleOf("false");

  EXPECT_TRUE(on.is_boolean_form() && on.is_constant() && on.Constant() && on.Decide("a"));
  EXPECT_EQ(on.share(), kShareTotal);
  EXPECT_TRUE(off.is_boolean_form() && off.is_constant());
  EXPECT_FALSE(off.Constant() || off.Decide("a"));
  EXPECT_EQ(off.share(), 0u);
}

TEST(FlagRule, NotEnabledIsOffWhateverElseItSays) {
  const FlagRule rule =
      RuleOf(R"({"enabled": false, "percentage": 100, "allow": ["*", "tenant-a"]})");

  EXPECT_TRUE(rule.is_constant());
  EXPECT_FALSE(rule.Decide("tenant-a"));
  EXPECT_EQ(rule.share(), 0u);
  EXPECT_EQ(rule.configured_share(), kShareTotal);
}

// Made by an implementation of its own; see bucket_test.cpp.
TEST(FlagRule, TenPercentChoosesThePinnedKeys) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "percentage": 10})");
  const FlagRule salted = RuleOf(R"({"enabled": true, "percentage": 10, "salt": "other"})");

  EXPECT_EQ(UsersOn(rule, 60), (std::vector<int>{0, 18, 30, 34, 48, 49}));
  EXPECT_EQ(UsersOn(salted, 60), (std::vector<int>{11, 16, 17, 26, 37, 47, 53, 54}));
}

TEST(FlagRule, AQuarterOfManyKeysIsOnAtTwentyFivePercent) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "percentage": 25})");

  EXPECT_EQ(UsersOn(rule, 100'000).size(), 24'777u);
}

TEST(FlagRule, ALargerShareOnlyAddsKeys) {
  std::vector<bool> was_on(2000, false);

  for (std::uint32_t share = 0; share <= kShareTotal; share += 500) {
    const FlagRule rule =
        RuleOf(R"({"enabled": true, "percentage": )" + FormatPercentage(share) + "}");
    for (int user = 0; user < 2000; ++user) {
      const bool is_on = rule.Decide(User(user));
      const auto index = static_cast<std::size_t>(user);
      ASSERT_TRUE(is_on || !was_on[index]) << User(user) << " left at share " << share;
      was_on[index] = is_on;
    }
  }
}

TEST(FlagRule, ZeroAndAHundredPercentAreOneAnswerForEverybody) {
  const FlagRule nobody = RuleOf(R"({"enabled": true, "percentage": 0})");
  const FlagRule everybody = RuleOf(R"({"enabled": true, "percentage": 100})");

  EXPECT_TRUE(nobody.is_constant() && !nobody.Constant());
  EXPECT_TRUE(everybody.is_constant() && everybody.Constant());
  EXPECT_FALSE(RuleOf(R"({"enabled": true, "percentage": 99.999})").is_constant());
}

TEST(FlagRule, RecordsOfOneEntityStayTogether) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "percentage": 30})");

  for (int number = 0; number < 100; ++number) {
    const std::string suffix = ":msg:" + std::to_string(number);
    EXPECT_FALSE(rule.Decide("{tenant-a}" + suffix));  // bucket 93883
    EXPECT_TRUE(rule.Decide("{tenant-b}" + suffix));   // bucket 29869
  }
}

TEST(FlagRule, AllowAddsEntitiesAndDenyWins) {
  const FlagRule rule =
      RuleOf(R"({"enabled": true, "percentage": 0, "allow": ["tenant-*"], "deny": ["tenant-a"]})");

  EXPECT_FALSE(rule.is_constant());
  EXPECT_TRUE(rule.Decide("tenant-b"));
  EXPECT_TRUE(rule.Decide("msg:{tenant-c}:1"));
  EXPECT_FALSE(rule.Decide("tenant-a"));
  EXPECT_FALSE(rule.Decide("{tenant-a}:1"));
  EXPECT_FALSE(rule.Decide("somebody"));
  EXPECT_FALSE(rule.Decide("tenant-x{y}"));  // the entity is y
}

TEST(FlagRule, DenyTakesEntitiesOutOfAFullShare) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "deny": ["vip-*"]})");

  EXPECT_FALSE(rule.is_constant());
  EXPECT_TRUE(rule.Decide("anybody"));
  EXPECT_FALSE(rule.Decide("vip-1"));
}

TEST(FlagRule, AStarInAListMakesTheAnswerConstant) {
  const FlagRule nobody = RuleOf(R"({"enabled": true, "deny": ["*"], "allow": ["a"]})");
  const FlagRule everybody = RuleOf(R"({"enabled": true, "percentage": 1, "allow": ["*"]})");

  EXPECT_TRUE(nobody.is_constant() && !nobody.Constant());
  EXPECT_TRUE(everybody.is_constant() && everybody.Constant());
}

TEST(FlagRule, EqualityIsAboutDecisionsAndNotAboutTheForm) {
  EXPECT_EQ(RuleOf("true"), RuleOf(R"({"enabled": true})"));
  EXPECT_EQ(RuleOf(R"({"enabled": true, "allow": ["b", "a"]})"),
            RuleOf(R"({"enabled": true, "allow": ["a", "b", "a"]})"));
  EXPECT_FALSE(RuleOf("true") == RuleOf("false"));
  EXPECT_FALSE(RuleOf(R"({"enabled": true, "percentage": 5})") ==
               RuleOf(R"({"enabled": true, "percentage": 5, "salt": "x"})"));
}

TEST(FlagRule, DecidesWithoutAllocating) {
  const FlagRule rule = RuleOf(
      R"({"enabled": true, "percentage": 50, "allow": ["tenant-with-a-long-name-*", "another"],
          "deny": ["somebody-with-a-long-name-too"]})");
  const std::string key = "{tenant-with-a-long-name-" + std::string(200, 'x') + "}:record";
  const std::size_t before = allocation_count;

  bool is_on = rule.Decide(key);
  is_on = is_on && !rule.Decide("somebody-with-a-long-name-too");

  EXPECT_EQ(allocation_count, before);
  EXPECT_TRUE(is_on);
}

TEST(FlagRuleDeathTest, AsksForTheConstantOnlyWhereThereIsOne) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "percentage": 50})");

  EXPECT_DEATH((void)rule.Constant(), "one answer");
}

}  // namespace
}  // namespace switchback
