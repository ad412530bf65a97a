#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "server/transfer/csv_codec.hpp"
#include "server/transfer/jsonl_codec.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string JsonLine(std::string_view key, std::string_view value) {
  std::string line;
  AppendJsonLine("users", key, value, line);
  line.pop_back();
  return line;
}

std::string JsonError(std::string_view line) {
  const auto record = ParseJsonLine(line, "c");
  return record ? "" : record.error().message;
}

std::vector<std::string> Row(std::string_view row) {
  std::vector<std::string> fields;
  const Status parsed = ParseCsvRow(row, fields);
  return parsed ? fields : std::vector<std::string>{"ERROR: " + parsed.error().message};
}

std::vector<std::string> Awkward() {
  std::vector<std::string> all{"a",  "",   "\"",      "\"\"", ",",    "a,b", "\n",  "\r\n",
                               "\r", "\\", "\\u0000", "\t",   "\x7f", "=1",  " a ", "\xff"};
  all.emplace_back("\0", 1);
  all.emplace_back("\xef\xbb\xbf");
  all.emplace_back("\xef\xbb\xbf\"x");
  all.emplace_back("\xed\xa0\x80");  // a surrogate is no UTF-8
  all.emplace_back("J\xc3\xbcrgen \xf0\x9f\x98\x80");
  all.emplace_back("\xe2\x80\xa8");  // a line separator of Unicode is no line break here
  return all;
}

TEST(JsonlCodec, TextStandsAsTextAndTheRestAsBase64) {
  EXPECT_EQ(JsonLine("J\xc3\xbcrgen", "a\"\n"),
            "{\"collection\":\"users\",\"key\":\"J\xc3\xbcrgen\",\"value\":\"a\\\"\\n\"}");
  EXPECT_EQ(JsonLine("\xff", std::string("\0", 1)),
            R"({"collection":"users","key_base64":"/w==","value_base64":"AA=="})");
}

TEST(JsonlCodec, TakesMembersInAnyOrderAndWithEscapes) {
  const auto record = ParseJsonLine("\t{ \"value\":\"\\u0000\\u00fc\", \"key\" : \"k\" }\r", "c");

  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(*record, (TransferRecord{"c", "k", std::string("\0\xc3\xbc", 3)}));
}

TEST(JsonlCodec, SaysWhatIsWrong) {
  EXPECT_THAT(JsonError(""), HasSubstr("no JSON"));
  EXPECT_THAT(JsonError("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(JsonError("\"a\""), HasSubstr("no JSON object"));
  EXPECT_THAT(JsonError(R"({"key":"a","value":"b"} x)"), HasSubstr("no JSON at byte"));
  EXPECT_THAT(JsonError(R"({"key":"a"})"), HasSubstr("\"value\" is missing"));
  EXPECT_THAT(JsonError(R"({"value":"a"})"), HasSubstr("\"key\" is missing"));
  EXPECT_THAT(JsonError(R"({"key":"a","value":1})"), HasSubstr("\"value\" must be a string"));
  EXPECT_THAT(JsonError(R"({"key":"a","value":{}})"), HasSubstr("\"value\" must be a string"));
  EXPECT_THAT(JsonError(R"({"key":"a","value":null})"), HasSubstr("\"value\" must be a string"));
  EXPECT_THAT(JsonError(R"({"key":"a","key":"b","value":""})"), HasSubstr("twice"));
  EXPECT_THAT(JsonError(R"({"key":"a","key_base64":"YQ==","value":""})"), HasSubstr("twice"));
  EXPECT_THAT(JsonError(R"({"key_base64":"YQ","value":""})"), HasSubstr("no base64"));
  EXPECT_THAT(JsonError(R"({"key":"a","value":"","ttl":"1"})"), HasSubstr("no member \"ttl\""));
  EXPECT_THAT(JsonError("{\"key\":\"\xff\",\"value\":\"\"}"), HasSubstr("no JSON"));
  EXPECT_THAT(ParseJsonLine(R"({"key":"a","value":""})", "").error().message,
              HasSubstr("--collection"));
}

TEST(CsvCodec, FieldsAreThoseOfRfc4180) {
  EXPECT_THAT(Row("a,b"), ElementsAre("a", "b"));
  EXPECT_THAT(Row(""), ElementsAre(""));
  EXPECT_THAT(Row(","), ElementsAre("", ""));
  EXPECT_THAT(Row("\"a,\"\"b\"\"\r\n\", c "), ElementsAre("a,\"b\"\r\n", " c "));
  EXPECT_THAT(Row("\"\",\"\""), ElementsAre("", ""));
  EXPECT_THAT(Row("a\"b").front(), HasSubstr("must stand in quotes"));
  EXPECT_THAT(Row("a\rb").front(), HasSubstr("must stand in quotes"));
  EXPECT_THAT(Row("\"a\"b").front(), HasSubstr("a comma"));
  EXPECT_THAT(Row("\"a").front(), HasSubstr("never closed"));
}

TEST(CsvCodec, ColumnsStandInAnyOrder) {
  const auto columns = CsvColumns::Parse({"value", "key"});
  ASSERT_TRUE(columns.has_value());
  std::vector<std::string> fields{"v", "k"};

  const auto record = columns->Take(fields, "c");

  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(*record, (TransferRecord{"c", "k", "v"}));
  EXPECT_FALSE(CsvColumns::Parse({"key"}).has_value());
  EXPECT_FALSE(CsvColumns::Parse({"key", "value", "key"}).has_value());
  EXPECT_FALSE(CsvColumns::Parse({"key", "value", "ttl"}).has_value());
}

TEST(CsvCodec, SaysWhatIsWrongWithARow) {
  const auto columns = CsvColumns::Parse(Row("collection,key,value,key_encoding,value_encoding"));
  ASSERT_TRUE(columns.has_value());
  const auto error = [&](std::string_view row) {
    std::vector<std::string> fields = Row(row);
    const auto record = columns->Take(fields, "");
    return record ? std::string() : record.error().message;
  };

  EXPECT_EQ(error("c,k,v,text,"), "");
  EXPECT_THAT(error("c,k,v"), HasSubstr("3 fields"));
  EXPECT_THAT(error(",k,v,text,text"), HasSubstr("--collection"));
  EXPECT_THAT(error("c,k,v,hex,text"), HasSubstr("key_encoding"));
  EXPECT_THAT(error("c,k,v,text,base64"), HasSubstr("the value is no base64"));
}

TEST(TransferCodecs, AnyBytesComeBackAsTheyWere) {
  std::mt19937 random(7);
  std::vector<std::string> samples = Awkward();
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 40, '\0');
    const bool is_narrow = random() % 2 == 0;  // few characters: quotes and breaks meet often
    for (char& c : bytes)
      c = is_narrow ? "\",\n\r\\a"[random() % 6] : static_cast<char>(random() % 256);
    samples.push_back(bytes);
  }
  const auto columns = CsvColumns::Parse(Row(kCsvHeader.substr(0, kCsvHeader.size() - 1)));
  ASSERT_TRUE(columns.has_value());

  for (const std::string& key : samples) {
    const std::string& value = samples[random() % samples.size()];
    const TransferRecord expected{"users", key, value};
    const std::string line = JsonLine(key, value);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(ParseJsonLine(line, "").value_or(TransferRecord{}), expected);
    std::string row;
    AppendCsvRow("users", key, value, row);
    std::vector<std::string> fields = Row(row.substr(0, row.size() - 1));
    EXPECT_EQ(columns->Take(fields, "").value_or(TransferRecord{}), expected) << row;
  }
}

}  // namespace
}  // namespace switchback
