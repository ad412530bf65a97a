#include "flags/flag_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "flags/flag_json.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

using testing_flags::FileWith;
using testing_flags::RuleOf;

// The reason why `text` is refused; "" with a failure of the test when it is not.
Error ErrorOf(std::string_view text) {
  const auto flags = ParseFlags(text);
  EXPECT_FALSE(flags) << text;
  return flags ? Error{ErrorCode::kInternal, ""} : flags.error();
}

void ExpectInvalid(std::string_view text, std::string_view reason) {
  const Error error = ErrorOf(text);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << text;
  EXPECT_NE(error.message.find(reason), std::string::npos) << text << " -> " << error.message;
}

TEST(ParseFlags, TakesBooleansAndObjectsUnderAnyName) {
  const auto flags =
      ParseFlags(R"({"A": true, "USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25}})");

  ASSERT_TRUE(flags);
  ASSERT_EQ(flags->size(), 2u);
  EXPECT_TRUE(flags->at("A").Constant());
  EXPECT_EQ(flags->at("USE_UNIFIED_DB_SERVICE").share(), 25'000u);
}

TEST(ParseFlags, TheShareOfShadowReadsIsANumberOrAnObject) {
  EXPECT_EQ(ParseFlags(R"({"SHADOW_READ_PERCENTAGE": 5})")->at("SHADOW_READ_PERCENTAGE").share(),
            5'000u);
  EXPECT_EQ(ParseFlags(R"({"SHADOW_READ_PERCENTAGE": 0.25})")->at("SHADOW_READ_PERCENTAGE").share(),
            250u);
  EXPECT_EQ(ParseFlags(R"({"SHADOW_READ_PERCENTAGE": 0})")->at("SHADOW_READ_PERCENTAGE").share(),
            0u);
  const auto object =
      ParseFlags(R"({"SHADOW_READ_PERCENTAGE": {"enabled": true, "percentage": 100}})");
  EXPECT_EQ(object->at("SHADOW_READ_PERCENTAGE").share(), 100'000u);
  for (const char* wrong : {"true", "\"5\"", "null", "[]", "101", "-1"}) {
    ExpectInvalid(std::string(R"({"SHADOW_READ_PERCENTAGE": )") + wrong + "}",
                  "SHADOW_READ_PERCENTAGE");
  }
}

TEST(ParseFlags, AnEmptyObjectIsNoFlags) {
  const auto flags = ParseFlags(" {} \n");

  ASSERT_TRUE(flags);
  EXPECT_TRUE(flags->empty());
}

TEST(ParseFlags, ReadsEveryMemberOfTheObjectForm) {
  const FlagRule rule = RuleOf(R"({"enabled": true, "percentage": 12.345, "salt": "s",
      "allow": ["b", "a*"], "deny": ["c"], "bucketing": "flagd-v2"})");

  EXPECT_TRUE(rule.enabled());
  EXPECT_FALSE(rule.is_boolean_form());
  EXPECT_EQ(rule.share(), 12'345u);
  EXPECT_EQ(rule.salt(), "s");
  EXPECT_EQ(rule.allow(), (std::vector<std::string>{"a*", "b"}));
  EXPECT_EQ(rule.deny(), (std::vector<std::string>{"c"}));
}

TEST(ParseFlags, WithoutPercentageEnabledIsEverybodyAndTheSaltIsTheName) {
  const FlagRule rule = RuleOf(R"({"enabled": true})");

  EXPECT_EQ(rule.share(), kShareTotal);
  EXPECT_EQ(rule.salt(), kUnifiedFlagName);
}

TEST(ParseFlags, SkipsDollarNamesAndOtherPeoplesSettings) {
  const auto flags = ParseFlags(
      R"({"$schema": "x", "$note": {"odd": 1}, "timeout": 30, "host": "h", "list": [{}], "n": null,
          "USE_UNIFIED_DB_SERVICE": true})");

  ASSERT_TRUE(flags) << flags.error().message;
  EXPECT_EQ(flags->size(), 1u);
}

TEST(ParseFlags, RefusesTheKnownFlagOfAWrongType) {
  for (const char* value : {"1", "0", "\"true\"", "null", "[true]", "1.5"}) {
    ExpectInvalid(FileWith(value), "USE_UNIFIED_DB_SERVICE: must be true, false or an object");
  }
}

TEST(ParseFlags, RefusesMembersOfWrongTypes) {
  ExpectInvalid(FileWith("{}"), "\"enabled\" is missing");
  ExpectInvalid(FileWith(R"({"percentage": 25})"), "\"enabled\" is missing");
  ExpectInvalid(FileWith(R"({"enabled": 1})"), "\"enabled\" must be true or false");
  ExpectInvalid(FileWith(R"({"enabled": "true"})"), "\"enabled\" must be true or false");
  ExpectInvalid(FileWith(R"({"enabled": true, "percentage": "25"})"), "must be a number");
  ExpectInvalid(FileWith(R"({"enabled": true, "percentage": null})"), "must be a number");
  ExpectInvalid(FileWith(R"({"enabled": true, "percentage": true})"), "must be a number");
  ExpectInvalid(FileWith(R"({"enabled": true, "salt": 5})"), "\"salt\" must be a string");
  ExpectInvalid(FileWith(R"({"enabled": true, "allow": "a"})"), "\"allow\" must be a list");
  ExpectInvalid(FileWith(R"({"enabled": true, "deny": [1]})"), "\"deny\" must hold only strings");
  ExpectInvalid(FileWith(R"({"enabled": true, "allow": [""]})"), "not empty");
}

TEST(ParseFlags, NeverGuessesWhatAMisspeltMemberMeant) {
  ExpectInvalid(FileWith(R"({"enabled": true, "percentge": 5})"), "unknown member \"percentge\"");
  ExpectInvalid(R"({"other": {"state": "ENABLED"}})", "flag other: \"enabled\" is missing");
  ExpectInvalid(R"({"other": {"enabled": true, "x": 1}})", "flag other: unknown member");
}

TEST(ParseFlags, RefusesPercentagesThatAreNotThreeDecimalsOfZeroToAHundred) {
  for (const char* value : {"-1", "-0.001", "100.001", "101", "1e9", "99999999999999999999"}) {
    ExpectInvalid(FileWith(R"({"enabled": true, "percentage": )" + std::string(value) + "}"),
                  "outside 0..100");
  }
  ExpectInvalid(FileWith(R"({"enabled": true, "percentage": 0.0005})"), "three decimals");
  // Also while the flag is off: the next one to switch it on must not meet a broken file.
  ExpectInvalid(FileWith(R"({"enabled": false, "percentage": 101})"), "outside 0..100");
}

TEST(ParseFlags, RefusesAnotherBucketing) {
  ExpectInvalid(FileWith(R"({"enabled": true, "bucketing": "flagd-v3"})"), "flagd-v2");
  ExpectInvalid(FileWith(R"({"enabled": true, "bucketing": 2})"), "flagd-v2");
}

TEST(ParseFlags, RefusesDuplicateMembersAtAnyDepth) {
  const std::string name(kUnifiedFlagName);
  ExpectInvalid("{\"" + name + "\": true, \"" + name + "\": false}", "twice");
  ExpectInvalid(FileWith(R"({"enabled": true, "enabled": false})"), "\"enabled\" is there twice");
  ExpectInvalid(R"({"$x": [{"a": 1, "a": 2}]})", "\"a\" is there twice");
  // Written differently and still the same name.
  ExpectInvalid(R"({"A": true, "\u0041": false})", "\"A\" is there twice");

  EXPECT_TRUE(ParseFlags(R"({"a": {"enabled": true}, "b": {"enabled": true}})"));
}

TEST(ParseFlags, RefusesWhatIsNotOneJsonObject) {
  for (const char* text : {"", " ", "{", "{\"a\": true", "{\"a\": tru", "{} {}", "{}x", "{'a': 1}",
                           "{\"a\": true,}", "// note\n{}", "{\"a\": 1e999}", "nonsense"}) {
    EXPECT_EQ(ErrorOf(text).code, ErrorCode::kInvalidArgument) << text;
  }
  for (const char* text : {"[]", "true", "null", "1", "\"text\""}) {
    ExpectInvalid(text, "one JSON object");
  }
}

TEST(ParseFlags, EveryTruncationOfAFileIsRefused) {
  const std::string text =
      R"({"$schema": "s", "USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25}})";
  ASSERT_TRUE(ParseFlags(text));

  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseFlags(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(ParseFlags, RefusesBytesThatAreNotUtf8AndSaysSoInPlainAscii) {
  const Error error = ErrorOf("{\"a\xFF\": true}");

  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  for (const char byte : error.message) EXPECT_TRUE(byte >= ' ' && byte <= '~') << error.message;
}

TEST(ParseFlags, MessagesStayShortWhateverTheFileHolds) {
  const std::string name(100'000, 'x');

  EXPECT_LT(ErrorOf("{\"" + name + "\": {\"" + name + "\": 1}}").message.size(), 400u);
  EXPECT_LT(ErrorOf("{\"" + name).message.size(), 400u);
}

TEST(ParseFlags, BoundsNestingAndSize) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  ExpectInvalid("{\"$deep\": " + deep + "}", "nested deeper");

  const std::string padding(kFlagFileBytesMax - 2, ' ');
  EXPECT_TRUE(ParseFlags("{}" + padding));
  EXPECT_EQ(ErrorOf("{}" + padding + " ").code, ErrorCode::kTooLarge);
}

TEST(ParseFlags, TakesShorthandsInAFlagdDocument) {
  const auto flags = ParseFlags(
      R"({"$schema": "x", "flags": {"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25}}})");

  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->at("USE_UNIFIED_DB_SERVICE").share(), 25'000u);
}

TEST(FlagRuleToJson, SpellsOutAllDefaults) {
  EXPECT_EQ(FlagRuleToJson(RuleOf("true")),
            R"({"enabled":true,"percentage":100,"salt":"USE_UNIFIED_DB_SERVICE",)"
            R"("allow":[],"deny":[],"bucketing":"flagd-v2"})");
  EXPECT_EQ(FlagRuleToJson(RuleOf(R"({"enabled": false, "percentage": 0.5, "salt": "\"",
                                      "allow": ["b", "a"]})")),
            R"({"enabled":false,"percentage":0.5,"salt":"\"",)"
            R"("allow":["a","b"],"deny":[],"bucketing":"flagd-v2"})");
}

TEST(FlagRuleToJson, ComesBackAsAnEqualRule) {
  for (const char* flag :
       {"true", "false", R"({"enabled": true, "percentage": 33.333, "salt": "ключ"})",
        R"({"enabled": false, "percentage": 7, "allow": ["x*", "y"], "deny": ["*"]})"}) {
    const FlagRule rule = RuleOf(flag);
    EXPECT_EQ(RuleOf(FlagRuleToJson(rule)), rule) << flag;
  }
}

TEST(FlagRuleToJson, IsValidUtf8WhateverTheSalt) {
  const FlagRule rule(FlagSettings{.enabled = true,
                                   .share = 1,
                                   .salt = "\xFF",
                                   .allow = {},
                                   .deny = {"\xC0*"},
                                   .is_boolean_form = false});

  EXPECT_TRUE(ParseFlags(FileWith(FlagRuleToJson(rule))));
}

}  // namespace
}  // namespace switchback
