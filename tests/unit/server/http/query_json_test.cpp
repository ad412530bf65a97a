#include "server/http/query_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

TEST(QueryJson, ABodyIsReadWithItsParameters) {
  const auto request = ParseQuery(
      R"({"sql": "SELECT ?", "parameters": [null, true, -1, 1.5, "x", {"blob": "k"}, {"base64": "/w=="}],)"
      R"( "rows_max": 7, "timeout_ms": 100, "is_fresh": false})");

  ASSERT_TRUE(request.has_value()) << request.error().message;
  const std::vector<SqlValue> expected{std::monostate(), std::int64_t{1}, std::int64_t{-1}, 1.5,
                                       std::string("x"), SqlBlob{"k"},    SqlBlob{"\xff"}};
  EXPECT_EQ(request->query.positional, expected);
  EXPECT_EQ(request->query.row_count_max, 7u);
  EXPECT_EQ(request->time_max, std::chrono::milliseconds(100));
  EXPECT_FALSE(request->is_fresh);
}

TEST(QueryJson, NamedParametersAndDefaults) {
  const auto request = ParseQuery(R"({"sql": "SELECT :a", "parameters": {"a": 1}})");

  ASSERT_TRUE(request.has_value());
  ASSERT_EQ(request->query.named.size(), 1u);
  EXPECT_EQ(request->query.named[0].first, "a");
  EXPECT_EQ(request->query.row_count_max, 1000u);
  EXPECT_TRUE(request->is_fresh);
}

TEST(QueryJson, WhatIsWrongInABodyIsNamed) {
  for (const char* body :
       {"", "{}", R"({"sql": 1})", R"({"sql": "", "parameters": 1})",
        R"({"sql": "", "parameters": [[1]]})", R"({"sql": "", "parameters": [{"base64": "?"}]})",
        R"({"sql": "", "parameters": [{}]})",
        R"({"sql": "", "parameters": [18446744073709551615]})", R"({"sql": "", "rows_max": 0})",
        R"({"sql": "", "rows_max": 100001})", R"({"sql": "", "timeout_ms": 60001})",
        R"({"sql": "", "is_fresh": 1})", R"({"sql": "", "rows": 1})"}) {
    const auto request = ParseQuery(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
  }
}

TEST(QueryJson, AnswersHaveTextWhereBytesAreText) {
  SqlResult result;
  result.columns = {"n", "n"};
  result.rows = {{std::int64_t{1}, SqlBlob{"x"}}, {std::monostate(), SqlBlob{"\xff"}}};
  result.applied_sequence = 9;

  EXPECT_EQ(QueryJson(result),
            "{\"columns\":[\"n\",\"n\"],\"rows\":[[1,\"x\"],[null,{\"base64\":\"/w==\"}]],"
            "\"is_truncated\":false,\"applied_sequence\":9}\n");
  EXPECT_EQ(QueryNdjson(result),
            "{\"n\":1,\"n_2\":\"x\"}\n{\"n\":null,\"n_2\":{\"base64\":\"/w==\"}}\n");
}

}  // namespace
}  // namespace switchback
