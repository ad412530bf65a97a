#include "server/http/problem.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/body.hpp"
#include "server/http/json_text.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json Parse(const HttpResponse& response) {
  return Json::parse(response.body, nullptr, false);
}

TEST(Problem, HasTheMembersOfRfc9457) {
  const auto response = ProblemResponse(404, "no-route", "there is nothing here");

  EXPECT_EQ(response.status, 404u);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const Json document = Parse(response);
  EXPECT_EQ(document["type"], "urn:switchback:error:no-route");
  EXPECT_EQ(document["title"], "Not Found");
  EXPECT_EQ(document["status"], 404);
  EXPECT_EQ(document["detail"], "there is nothing here");
}

TEST(Problem, OfAnErrorHasItsStatusAndAStableType) {
  const auto response = ProblemResponse(Error{ErrorCode::kInvalidArgument, "no"});

  EXPECT_EQ(response.status, 400u);
  EXPECT_EQ(Parse(response)["type"], "urn:switchback:error:invalid-argument");
}

TEST(Problem, CarriesAListOfReasons) {
  const auto response = ProblemResponse(503, "not-ready", "no", "reasons", {"a", "b"});

  EXPECT_EQ(Parse(response)["reasons"], Json({"a", "b"}));
}

TEST(Problem, SurvivesTextThatIsNotUtf8) {
  const auto response = ProblemResponse(400, "x", "bad \xff byte");

  EXPECT_FALSE(Parse(response).is_discarded());
}

TEST(ParseBody, AcceptsKnownMembersAndAnEmptyBody) {
  const auto parsed = ParseBody(R"({"a": 1})", {"a", "b"});
  const auto empty = ParseBody(" \r\n", {"a"});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ((*parsed)["a"], 1);
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->empty());
}

TEST(ParseBody, RefusesEverythingElse) {
  for (const char* body :
       {R"({"c": 1})", R"({"a": 1, "a": 2})", "[]", "1", "null", "{", "{} x", R"({"a": 1,})"}) {
    const auto parsed = ParseBody(body, {"a", "b"});
    ASSERT_FALSE(parsed.has_value()) << body;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << body;
  }
}

}  // namespace
}  // namespace switchback
