// The flagd form: read, decided, evaluated, changed in its file.
#include "flags/flagd_flag.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flags/flag_evaluation.hpp"
#include "flags/flag_file.hpp"
#include "flags/flag_json.hpp"
#include "flags/flag_snapshot.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing_flags::ReadAll;
using testing_flags::TempFolder;
using testing_flags::WriteInPlace;

const std::string kName(kUnifiedFlagName);
constexpr const char* kOnOff = R"("variants": {"on": true, "off": false})";

// A document of one flag with that targeting, off by default.
std::string Document(const std::string& targeting, const std::string& more = "") {
  return R"({"flags": {"USE_UNIFIED_DB_SERVICE": {"state": "ENABLED", )" + std::string(kOnOff) +
         R"(, "defaultVariant": "off", "targeting": )" + targeting + "}}" + more + "}";
}

FlagRule Rule(const std::string& text) {
  return test::Must(ParseFlags(text)).at(kName);
}

std::string Refusal(const std::string& text) {
  const auto flags = ParseFlags(text);
  EXPECT_FALSE(flags) << text;
  return flags ? "" : flags.error().message;
}

TEST(FlagdForm, APlainSplitIsAShare) {
  const FlagRule share =
      test::Must(ParseFlags(R"({"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25}})"))
          .at(kName);
  for (const char* split :
       {R"({"fractional": [["on", 25], ["off", 75]]})",
        R"({"fractional": [["on", 1], ["off", 3]]})",
        R"({"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]},
            ["on", 25], ["off", 75]]})"}) {
    const FlagRule rule = Rule(Document(split));
    EXPECT_FALSE(rule.is_targeted()) << split;
    EXPECT_EQ(rule, share) << split;
  }
  EXPECT_EQ(
      Rule(Document(R"({"fractional": [{"var": "targetingKey"}, ["on", 1], ["off", 1]]})")).salt(),
      "");
}

TEST(FlagdForm, AShareDecidesAsTheRuleItCameFrom) {
  for (const char* text :
       {R"({"fractional": [["on", 25], ["off", 75]]})",
        R"({"fractional": [{"var": "targetingKey"}, ["on", 1], ["off", 9]]})",
        R"({"fractional": [{"cat": ["s-", {"var": "targetingKey"}]}, ["on"], ["off"]]})"}) {
    const FlagRule rule = Rule(Document(text));
    ASSERT_FALSE(rule.is_targeted());
    for (int i = 0; i < 2000; ++i) {
      const std::string key = "user:" + std::to_string(i);
      EXPECT_EQ(rule.Decide(key), rule.flagd()->Decide(key, key)) << text << " " << key;
    }
  }
}

TEST(FlagdForm, OtherRulesAreAskedForEachKey) {
  const FlagRule rule = Rule(Document(
      R"({"if": [{"starts_with": [{"var": "targetingKey"}, "tenant-a"]}, "on",
                 {"in": [{"var": "key"}, ["{u}:1"]]}, "on"]})"));
  EXPECT_TRUE(rule.is_targeted());
  EXPECT_TRUE(rule.MayBeOn());
  EXPECT_TRUE(rule.Decide("tenant-a:1"));
  EXPECT_TRUE(rule.Decide("{tenant-ab}:9"));
  EXPECT_FALSE(rule.Decide("tenant-b:1"));
  EXPECT_TRUE(rule.Decide("{u}:1"));  // the whole key is there, too
  EXPECT_FALSE(rule.Decide("{u}:2"));
  // Listed the other way round, or in three parts, it is no share.
  const FlagRule turned = Rule(Document(R"({"fractional": [["off", 75], ["on", 25]]})"));
  EXPECT_TRUE(turned.is_targeted());
  EXPECT_NEAR(turned.share(), 25'000, 5'000);
  EXPECT_TRUE(
      Rule(Document(R"({"fractional": [["on", 1], ["off", 1], ["on", 1]]})")).is_targeted());
  EXPECT_TRUE(Rule(Document(R"({"fractional": [["on", 1], ["off", 6]]})")).is_targeted());
}

TEST(FlagdForm, HonoursStateAndDefault) {
  const auto flag = [](const std::string& members) {
    return Rule(R"({"flags": {"USE_UNIFIED_DB_SERVICE": {)" + std::string(kOnOff) + members +
                "}}}");
  };
  EXPECT_TRUE(flag(R"(, "state": "ENABLED", "defaultVariant": "on")").Constant());
  EXPECT_FALSE(flag(R"(, "state": "DISABLED", "defaultVariant": "on")").MayBeOn());
  EXPECT_FALSE(flag(R"(, "state": "ENABLED")").MayBeOn());
  EXPECT_FALSE(flag(R"(, "state": "ENABLED", "defaultVariant": null)").MayBeOn());
  EXPECT_TRUE(flag(R"(, "state": "ENABLED", "defaultVariant": "on", "targeting": {})").Constant());
  // A rule that says nothing leaves it to the default.
  const FlagRule rule = flag(R"(, "state": "ENABLED", "defaultVariant": "on", "targeting":
              {"if": [{"==": [{"var": "targetingKey"}, "x"]}, "off"]})");
  EXPECT_TRUE(rule.Decide("y"));
  EXPECT_FALSE(rule.Decide("x"));
}

TEST(FlagdForm, PutsReferencesInTheirPlace) {
  const FlagRule rule = Rule(Document(R"({"if": [{"$ref": "chosen"}, "on", "off"]})",
                                      R"(, "$evaluators": {
      "chosen": {"or": [{"$ref": "first"}, {"==": [{"var": "targetingKey"}, "b"]}]},
      "first": {"==": [{"var": "targetingKey"}, "a"]}})"));
  EXPECT_TRUE(rule.Decide("a"));
  EXPECT_TRUE(rule.Decide("b"));
  EXPECT_FALSE(rule.Decide("c"));
}

TEST(FlagdForm, RefusesWhatItCannotEvaluate) {
  EXPECT_THAT(Refusal(Document(R"({"bogus": [1]})")), HasSubstr("\"bogus\""));
  EXPECT_THAT(Refusal(Document(R"({"if": [{"$ref": "none"}, "on"]})")), HasSubstr("$evaluators"));
  EXPECT_THAT(Refusal(Document(R"({"$ref": "loop"})",
                               R"(, "$evaluators": {"loop": {"!": {"$ref": "loop"}}})")),
              HasSubstr("refers to itself"));
  EXPECT_THAT(Refusal(Document(R"({"if": [true, "maybe"]})")), HasSubstr("maybe"));
  std::string twice = R"("a0": [1])";
  for (int i = 1; i < 18; ++i)
    twice += R"(, "a)" + std::to_string(i) + R"(": [{"$ref": "a)" + std::to_string(i - 1) +
             R"("}, {"$ref": "a)" + std::to_string(i - 1) + R"("}])";
  EXPECT_THAT(
      Refusal(Document(R"({"!!": {"$ref": "a17"}})", R"(, "$evaluators": {)" + twice + "}")),
      HasSubstr("too many parts"));
  const auto member = [](const std::string& members) {
    return R"({"flags": {"USE_UNIFIED_DB_SERVICE": {)" + members + "}}}";
  };
  EXPECT_THAT(Refusal(member(R"("state": "ON", "variants": {})")), HasSubstr("\"state\""));
  EXPECT_THAT(Refusal(member(R"("state": "ENABLED")")), HasSubstr("\"enabled\" is missing"));
  EXPECT_THAT(
      Refusal(member(R"("state": "ENABLED", "variants": {"on": true}, "defaultVariant": "x")")),
      HasSubstr("\"x\""));
  EXPECT_THAT(Refusal(member(R"("state": "ENABLED", "variants": {"a": "text"})")),
              HasSubstr("true or false"));
}

TEST(FlagdForm, WhatIsWrongWithAForeignFlagIsNotOurs) {
  const FlagMap flags = test::Must(ParseFlags(
      R"({"flags": {"THEIRS": {"state": "ENABLED", "variants": {"a": "x"}, "targeting": {"bogus": 1}},
                    "USE_UNIFIED_DB_SERVICE": true}})"));
  EXPECT_TRUE(flags.at(kName).Constant());
  EXPECT_FALSE(flags.at("THEIRS").MayBeOn());
  EXPECT_EQ(EvaluateFlag("THEIRS", flags.at("THEIRS"), Json::object(), 0).error().code,
            ErrorCode::kCorruption);
}

TEST(FlagdForm, TheShareOfShadowReadsIsANumber) {
  const auto shadow = [](const std::string& members) {
    return ParseFlags(R"({"flags": {"SHADOW_READ_PERCENTAGE": {"state": "ENABLED", )" + members +
                      "}}}");
  };
  const auto flags = test::Must(shadow(R"("variants": {"some": 5}, "defaultVariant": "some")"));
  EXPECT_EQ(flags.at(std::string(kShadowFlagName)).share(), 5'000u);
  EXPECT_FALSE(shadow(R"("variants": {"some": 101}, "defaultVariant": "some")"));
  EXPECT_FALSE(shadow(R"("variants": {"some": "5"}, "defaultVariant": "some")"));
}

// --- Evaluation ---

FlagEvaluation Evaluate(const FlagRule& rule, const std::string& key,
                        std::string_view name = kUnifiedFlagName) {
  return test::Must(EvaluateFlag(name, rule, Json{{"targetingKey", key}}, 1000));
}

TEST(EvaluateFlag, GivesReasonsAsOpenFeatureNamesThem) {
  const auto rule = [](const std::string& text) {
    return Rule("{\"" + kName + "\": " + text + "}");
  };
  EXPECT_EQ(Evaluate(rule("true"), "").reason, EvaluationReason::kStatic);
  EXPECT_EQ(Evaluate(rule("false"), "").value, Json(false));
  const FlagRule share = rule(R"({"enabled": true, "percentage": 50, "allow": ["vip"]})");
  EXPECT_EQ(Evaluate(share, "user:1").reason, EvaluationReason::kSplit);
  EXPECT_EQ(Evaluate(share, "vip").reason, EvaluationReason::kTargetingMatch);
  EXPECT_TRUE(NeedsTargetingKey(kName, share));
  EXPECT_FALSE(NeedsTargetingKey(kName, rule("true")));
  const FlagEvaluation off = Evaluate(rule(R"({"enabled": false, "percentage": 50})"), "user:1");
  EXPECT_EQ(off.reason, EvaluationReason::kDisabled);
  EXPECT_EQ(off.variant, "off");
  EXPECT_EQ(off.value, Json(false));
}

TEST(EvaluateFlag, IsTrueExactlyForWhatGoesToUnified) {
  for (const FlagRule& rule :
       {Rule(R"({"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 30}})"),
        Rule(Document(R"({"fractional": [["on", 30], ["off", 70]]})")),
        Rule(Document(R"({"fractional": [["off", 70], ["on", 30]]})"))}) {
    for (int i = 0; i < 500; ++i) {
      const std::string key = "{tenant-" + std::to_string(i) + "}:x";
      EXPECT_EQ(Evaluate(rule, key).value, Json(rule.Decide(key))) << key;
    }
  }
}

TEST(EvaluateFlag, KnowsTheFlagAndTheTimeInsideARule) {
  const FlagRule rule = Rule(Document(
      R"({"if": [{"and": [{"==": [{"var": "$flagd.flagKey"}, "USE_UNIFIED_DB_SERVICE"]},
                          {"<": [{"var": "$flagd.timestamp"}, 2000]}]}, "on", null]})"));
  const FlagEvaluation early = Evaluate(rule, "k");
  EXPECT_EQ(early.value, Json(true));
  EXPECT_EQ(early.reason, EvaluationReason::kTargetingMatch);
  const FlagEvaluation late =
      test::Must(EvaluateFlag(kName, rule, Json{{"$flagd", "ignored"}}, 2000));
  EXPECT_EQ(late.value, Json(false));
  EXPECT_EQ(late.reason, EvaluationReason::kDefault);
}

// --- Overrides of single collections ---

TEST(Overrides, CountInsteadOfTheFlagForAll) {
  FlagSnapshot snapshot;
  snapshot.flags = test::Must(ParseFlags(
      R"({"USE_UNIFIED_DB_SERVICE": false, "USE_UNIFIED_DB_SERVICE@messages": true,
          "USE_UNIFIED_DB_SERVICE@a": {"enabled": true, "percentage": 10}})"));
  EXPECT_FALSE(snapshot.unified("users").MayBeOn());
  EXPECT_TRUE(snapshot.unified("messages").Constant());
  EXPECT_EQ(snapshot.unified("a").share(), 10'000u);
  EXPECT_EQ(snapshot.unified("a").salt(), "USE_UNIFIED_DB_SERVICE@a");
  EXPECT_TRUE(snapshot.may_go_to_unified());
  EXPECT_EQ(snapshot.overrides().size(), 2u);
  EXPECT_FALSE(ParseFlags(R"({"USE_UNIFIED_DB_SERVICE@messages": 5})"));
}

// --- Changes in the file ---

class FlagdFileTest : public testing::Test {
 protected:
  void Write(const std::string& text) { WriteInPlace(path_, text); }
  Status Set(FlagChange change) { return SetFlagInFile(path_, kName, change); }
  FlagRule InFile() { return test::Must(LoadFlagFile(path_)).at(kName); }

  TempFolder folder_;
  const std::string path_ = folder_.File("flags.json");
};

TEST_F(FlagdFileTest, ChangesTheFlagInItsForm) {
  Write(
      Document(R"({"fractional": [["on", 25], ["off", 75]]})", R"(, "metadata": {"team": "db"})"));
  ASSERT_TRUE(Set({.enabled = true, .percentage = 40}));
  EXPECT_EQ(InFile().share(), 40'000u);
  EXPECT_NE(InFile().flagd(), nullptr);
  ASSERT_TRUE(Set({.enabled = true, .percentage = 0.5}));
  EXPECT_EQ(InFile().share(), 500u);
  ASSERT_TRUE(Set({.enabled = false}));
  EXPECT_FALSE(InFile().MayBeOn());
  EXPECT_EQ(InFile().configured_share(), 500u);
  ASSERT_TRUE(Set({.enabled = true}));
  EXPECT_TRUE(InFile().Constant());
  EXPECT_THAT(ReadAll(path_), HasSubstr("\"team\": \"db\""));
}

TEST_F(FlagdFileTest, DoesNotReplaceARuleByAShare) {
  const std::string text = Document(R"({"if": [{"starts_with": [{"var": "key"}, "a"]}, "on"]})");
  Write(text);
  EXPECT_EQ(Set({.enabled = true, .percentage = 5}).error().code, ErrorCode::kRefused);
  EXPECT_EQ(ReadAll(path_), text);
  // The way back is always open, and keeps the rule.
  ASSERT_TRUE(Set({.enabled = false}));
  EXPECT_FALSE(InFile().MayBeOn());
  EXPECT_THAT(ReadAll(path_), HasSubstr("starts_with"));
  ASSERT_TRUE(Set({.enabled = true}));
  EXPECT_TRUE(InFile().Decide("a1"));
  EXPECT_FALSE(InFile().Decide("b1"));
  ASSERT_TRUE(Set({.enabled = false, .percentage = 5}));
  EXPECT_TRUE(InFile().is_targeted());
}

TEST_F(FlagdFileTest, ARollbackTurnsOverridesOffAsWell) {
  Write(R"({"flags": {"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 5},
                      "USE_UNIFIED_DB_SERVICE@m": true, "OTHER": true}})");
  ASSERT_TRUE(Set({.enabled = false, .with_overrides = true}));
  FlagSnapshot snapshot;
  snapshot.flags = test::Must(LoadFlagFile(path_));
  EXPECT_FALSE(snapshot.may_go_to_unified());
  EXPECT_TRUE(snapshot.flags.at("OTHER").Constant());
}

}  // namespace
}  // namespace switchback
