#include "migration/validation_rules.hpp"

#include <gtest/gtest.h>

#include "migration/invalid_records.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

std::optional<std::string> Judge(const char* rule, std::string_view value,
                                 std::string_view key = "k") {
  const auto rules = Must(ValidationRules::Parse("{\"c\": " + std::string(rule) + "}"));
  return WhyInvalid(*rules.Find("c"), key, value);
}

TEST(ValidationRules, BytesTakeAnything) {
  EXPECT_EQ(Judge(R"({"format": "bytes"})", std::string_view("\0\xff", 2)), std::nullopt);
  EXPECT_EQ(Judge("{}", ""), std::nullopt);
}

TEST(ValidationRules, Utf8IsTheStrictKind) {
  const char* rule = R"({"format": "utf8"})";
  EXPECT_EQ(Judge(rule, ""), std::nullopt);
  EXPECT_EQ(Judge(rule, "grün ✓ 🎈"), std::nullopt);
  EXPECT_NE(Judge(rule, "\xff"), std::nullopt);
  EXPECT_NE(Judge(rule, "\xc0\x80"), std::nullopt);      // overlong
  EXPECT_NE(Judge(rule, "\xed\xa0\x80"), std::nullopt);  // surrogate
  EXPECT_NE(Judge(rule, "a\xe2\x82"), std::nullopt);     // cut off
}

TEST(ValidationRules, JsonAndItsRequiredPointers) {
  EXPECT_EQ(Judge(R"({"format": "json"})", "[1]"), std::nullopt);
  EXPECT_EQ(Judge(R"({"format": "json"})", "{"), "the value is not JSON");
  EXPECT_EQ(Judge(R"({"format": "json"})", ""), "the value is not JSON");
  const char* rule = R"({"format": "json", "required": ["/id", "/a/0"]})";
  EXPECT_EQ(Judge(rule, R"({"id": null, "a": [1]})"), std::nullopt);
  EXPECT_EQ(Judge(rule, R"({"id": 1, "a": []})"), R"(the value has nothing at "/a/0")");
  EXPECT_EQ(Judge(rule, "7"), R"(the value has nothing at "/id")");
}

TEST(ValidationRules, Sizes) {
  const char* rule = R"({"key_bytes_max": 2, "value_bytes_max": 3})";
  EXPECT_EQ(Judge(rule, "123", "12"), std::nullopt);
  EXPECT_EQ(Judge(rule, "1234", "12"), "the value has 4 bytes, the rule allows 3");
  EXPECT_EQ(Judge(rule, "1", "123"), "the key has 3 bytes, the rule allows 2");
}

TEST(ValidationRules, AStarIsForCollectionsWithoutARule) {
  const auto rules = Must(ValidationRules::Parse(R"({"*": {"format": "json"}, "raw": {}})"));

  EXPECT_EQ(rules.Find("anything")->format, ValidationRule::Format::kJson);
  EXPECT_EQ(rules.Find("raw")->format, ValidationRule::Format::kBytes);
  EXPECT_EQ(Must(ValidationRules::Parse(R"({"raw": {}})")).Find("other"), nullptr);
}

TEST(ValidationRules, AWrongRuleIsRefusedByName) {
  for (const char* text :
       {"[]", "{\"c\": 1}", R"({"c": {"format": "xml"}})", R"({"c": {"required": ["/id"]}})",
        R"({"c": {"format": "json", "required": ["id"]}})", R"({"c": {"value_bytes_max": -1}})",
        R"({"c": {"value_bytes_max": 0}})", R"({"c": {"typo": 1}})"}) {
    const auto rules = ValidationRules::Parse(text);
    ASSERT_FALSE(rules.has_value()) << text;
    EXPECT_EQ(rules.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(InvalidRecords, AreCountedAndListedOnceCopied) {
  TempDir dir;
  ShiftedClock clock;
  auto journal = Must(Journal::Open(dir.File("control.sqlite"), clock));
  const auto rules = Must(ValidationRules::Parse(R"({"c": {"format": "json"}})"));
  auto invalid = Must(InvalidRecords::Open(rules, *journal));

  invalid->Inspect("c", "bad", "{");
  invalid->Drop();  // the step did not happen
  invalid->Inspect("c", "bad", "{");
  invalid->Inspect("c", "good", "{}");
  invalid->Inspect("d", "free", "{");
  EXPECT_EQ(invalid->count(), 0u);
  Must(invalid->Flush());

  EXPECT_EQ(invalid->count(), 1u);
  const auto listed = Must(journal->Findings(InvalidRecords::kList, "", "", 10));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].key, "bad");
  EXPECT_EQ(listed[0].detail, R"({"reason":"the value is not JSON"})");
  EXPECT_EQ(Must(InvalidRecords::Open(rules, *journal))->count(), 1u);
}

}  // namespace
}  // namespace switchback::test
