#include "server/http/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchback {
namespace {

using testing::ElementsAre;

Route NamedRoute(const std::string& method, const std::string& pattern, unsigned status) {
  return {method, pattern, [status](const HttpRequest&, const PathParameters&) {
            HttpResponse response;
            response.status = status;
            return response;
          }};
}

HttpRouter TestRouter() {
  return HttpRouter({NamedRoute("GET", "/flags", 201), NamedRoute("GET", "/flags/{name}", 202),
                     NamedRoute("PUT", "/flags/{name}", 203), NamedRoute("POST", "/start", 204)});
}

unsigned FoundStatus(std::string_view method, std::string_view path) {
  const HttpRouter router = TestRouter();
  const auto found = router.Find(method, path);
  const auto* match = std::get_if<HttpRouter::Match>(&found);
  return match == nullptr ? 0 : match->route->handler({}, match->parameters).status;
}

TEST(HttpRouter, FindsTheRouteOfMethodAndPath) {
  EXPECT_EQ(FoundStatus("GET", "/flags"), 201u);
  EXPECT_EQ(FoundStatus("GET", "/flags/a"), 202u);
  EXPECT_EQ(FoundStatus("PUT", "/flags/a"), 203u);
  EXPECT_EQ(FoundStatus("POST", "/start"), 204u);
}

TEST(HttpRouter, AnswersHeadByTheRouteOfGet) {
  EXPECT_EQ(FoundStatus("HEAD", "/flags"), 201u);
}

TEST(HttpRouter, MatchesWholePathsOnly) {
  for (const char* path : {"", "/", "/flag", "/flags/", "/flags/a/b", "/FLAGS", "//flags", "flags"})
    EXPECT_EQ(FoundStatus("GET", path), 0u) << path;
}

TEST(HttpRouter, TheRootIsThatPathAlone) {
  const HttpRouter router({NamedRoute("GET", "/", 201)});

  EXPECT_TRUE(std::holds_alternative<HttpRouter::Match>(router.Find("GET", "/")));
  for (const char* path : {"/a", "/index.html", "//", ""})
    EXPECT_FALSE(std::holds_alternative<HttpRouter::Match>(router.Find("GET", path))) << path;
}

TEST(HttpRouter, DecodesParameters) {
  const HttpRouter router = TestRouter();

  const auto found = router.Find("GET", "/flags/a%2Fb%20c");

  ASSERT_TRUE(std::holds_alternative<HttpRouter::Match>(found));
  EXPECT_THAT(std::get<HttpRouter::Match>(found).parameters, ElementsAre("a/b c"));
}

TEST(HttpRouter, RefusesParametersThatCannotBeDecoded) {
  for (const char* path : {"/flags/%", "/flags/%2", "/flags/%zz", "/flags/a%00b"})
    EXPECT_EQ(FoundStatus("GET", path), 0u) << path;
}

TEST(HttpRouter, SaysWhichMethodsAPathAllows) {
  const HttpRouter router = TestRouter();

  const auto flag = router.Find("DELETE", "/flags/a");
  const auto start = router.Find("GET", "/start");

  ASSERT_TRUE(std::holds_alternative<HttpRouter::WrongMethod>(flag));
  EXPECT_EQ(std::get<HttpRouter::WrongMethod>(flag).allow, "GET, HEAD, PUT");
  ASSERT_TRUE(std::holds_alternative<HttpRouter::WrongMethod>(start));
  EXPECT_EQ(std::get<HttpRouter::WrongMethod>(start).allow, "POST");
}

TEST(HttpRouter, ListsItsRoutesInOrder) {
  const HttpRouter router = TestRouter();

  ASSERT_EQ(router.routes().size(), 4u);
  EXPECT_EQ(router.routes()[2].method, "PUT");
  EXPECT_EQ(router.routes()[2].pattern, "/flags/{name}");
}

}  // namespace
}  // namespace switchback
