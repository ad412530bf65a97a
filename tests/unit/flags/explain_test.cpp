#include "flags/explain.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

FlagRule Rule(std::uint32_t share, std::vector<std::string> allow = {},
              std::vector<std::string> deny = {}) {
  FlagSettings settings;
  settings.enabled = true;
  settings.share = share;
  settings.salt = "F";
  settings.allow = std::move(allow);
  settings.deny = std::move(deny);
  return FlagRule(std::move(settings));
}

TEST(Explain, AgreesWithTheDecisionForEveryKeyAndShare) {
  for (const std::uint32_t share : {0u, 1u, 25'000u, 50'000u, 99'999u, kShareTotal}) {
    const FlagRule rule = Rule(share, {"key-7", "k*"}, {"key-9"});
    for (int i = 0; i < 1'000; ++i) {
      const std::string key = (i % 2 == 0 ? "key-" : "other-") + std::to_string(i);
      EXPECT_EQ(ExplainFlag(rule, key).is_on, rule.Decide(key)) << key;
    }
  }
}

TEST(Explain, NamesWhatDecidedInTheOrderOfTheEvaluator) {
  EXPECT_EQ(ExplainFlag(FlagRule(), "a").cause, ExplainCause::kDisabled);
  EXPECT_EQ(ExplainFlag(Rule(kShareTotal, {"a"}, {"a"}), "a").cause, ExplainCause::kDenied);
  EXPECT_EQ(ExplainFlag(Rule(0, {"a"}), "a").cause, ExplainCause::kAllowed);
  EXPECT_EQ(ExplainFlag(Rule(kShareTotal), "a").cause, ExplainCause::kBelowShare);
  EXPECT_EQ(ExplainFlag(Rule(0), "a").cause, ExplainCause::kAboveShare);
}

TEST(Explain, BucketsTheEntityAndTurnsOnRightAboveIt) {
  const FlagExplanation whole = ExplainFlag(Rule(50'000), "{tenant}:message:1");

  EXPECT_EQ(whole.entity, "tenant");
  EXPECT_EQ(whole.bucket, ExplainFlag(Rule(50'000), "tenant").bucket);
  EXPECT_FALSE(ExplainFlag(Rule(whole.bucket), "tenant").is_on);
  EXPECT_TRUE(ExplainFlag(Rule(whole.bucket + 1), "tenant").is_on);
}

TEST(Explain, JsonHoldsKeysOfAnyBytes) {
  const auto text = nlohmann::json::parse(FlagExplanationToJson(ExplainFlag(Rule(1), "a\"b")));
  EXPECT_EQ(text["key"], "a\"b");
  EXPECT_EQ(text["cause"], "above-share");
  EXPECT_FALSE(text["text"].get<std::string>().empty());

  const auto bytes = nlohmann::json::parse(FlagExplanationToJson(ExplainFlag(Rule(1), "\xff")));
  EXPECT_FALSE(bytes.contains("key"));
  EXPECT_EQ(bytes["key_base64"], "/w==");
}

}  // namespace
}  // namespace switchback
