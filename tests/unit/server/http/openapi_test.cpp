// The description of the interface against the routes that there are, both ways, and the roles that
// it promises against those that are demanded.
#include "server/http/openapi/openapi.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>

#include "common/sha256.hpp"
#include "server/access/token_registry.hpp"
#include "server/http/control_plane.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

class OpenApiTest : public testing::Test {
 protected:
  OpenApiTest() {
    tokens_.Replace({{"vera", AccessRole::kViewer, Sha256Hex("a viewer's token")},
                     {"olaf", AccessRole::kOperator, Sha256Hex("an operator's token")},
                     {"adam", AccessRole::kAdmin, Sha256Hex("an admin's token")}});
  }

  ControlPlaneParts Parts() {
    ControlPlaneParts parts{service_,
                            watcher_,
                            *migrator_,
                            SystemClock(),
                            [] { return ServerCounters(); },
                            {folder_.path(), flags_path_, {}}};
    // Only for the routes to be there: no request of these tests gets as far as to a handler.
    parts.safety = static_cast<Safety*>(static_cast<void*>(&nobody_));
    return parts;
  }
  static std::string LowerCase(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
  }
  [[nodiscard]] const Json& Operation(const Route& route) const {
    return document_["paths"][route.pattern][LowerCase(route.method)];
  }
  // What a request with that token and a body that no handler takes is answered.
  unsigned Ask(const Route& route, const std::string& token) const {
    HttpRequest request;
    request.method = route.method;
    request.path = route.pattern;
    request.headers = {{"host", "localhost"}, {"content-type", "x/y"}};
    if (!token.empty()) request.headers["authorization"] = "Bearer " + token;
    return plane_.Handle(request).status;
  }

  // Of programs: the console's files are for browsers.
  std::vector<Route> ApiRoutes() const {
    std::vector<Route> routes = plane_.router().routes();
    std::erase_if(routes, [](const Route& route) {
      return route.pattern == "/" || route.pattern.starts_with("/console/");
    });
    return routes;
  }

  std::max_align_t nobody_{};
  ScratchFolder folder_;
  const std::string flags_path_ = folder_.path() + "/flags.json";
  StubService service_;
  FlagWatcher watcher_{flags_path_, service_.flags(), [](const auto&) {}, SystemClock()};
  const std::unique_ptr<Journal> journal_ =
      test::Must(Journal::Open(folder_.path() + "/control.sqlite", SystemClock()));
  const std::unique_ptr<Migrator> migrator_ =
      test::Must(Migrator::Open(service_, *journal_, SystemClock(), {}));
  TokenRegistry tokens_;
  const ControlPlane plane_{Parts(), AccessOptions{"127.0.0.1", {}, "", &tokens_}};
  const Json document_ = Json::parse(kOpenApiText);
};

TEST_F(OpenApiTest, DescribesEveryRoute) {
  for (const Route& route : ApiRoutes()) {
    ASSERT_TRUE(document_["paths"].contains(route.pattern)) << route.pattern;
    EXPECT_TRUE(document_["paths"][route.pattern].contains(LowerCase(route.method)))
        << route.method << " " << route.pattern;
  }
}

TEST_F(OpenApiTest, DescribesNothingElse) {
  std::set<std::string> routes;
  for (const Route& route : ApiRoutes())
    routes.insert(LowerCase(route.method) + " " + route.pattern);

  for (const auto& [path, item] : document_["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      EXPECT_EQ(routes.count(method + " " + path), 1u) << path;
    }
  }
}

TEST_F(OpenApiTest, PromisesTheRolesThatAreDemanded) {
  for (const Route& route : ApiRoutes()) {
    const Json& operation = Operation(route);
    EXPECT_EQ(route.is_open, operation.contains("security")) << route.pattern;
    const std::string role = route.is_open ? "" : AccessRoleName(route.role);
    EXPECT_EQ(operation.value("x-role", ""), role) << route.method << " " << route.pattern;
  }
}

TEST_F(OpenApiTest, PromisesWhatMayBeSentAgainAndWhoActs) {
  for (const Route& route : ApiRoutes()) {
    const Json& operation = Operation(route);
    const std::string text = operation.dump();
    EXPECT_EQ(route.is_idempotent, text.find("IdempotencyKey") != std::string::npos)
        << route.method << " " << route.pattern;
    EXPECT_EQ(route.has_actor, text.find("\"actor\"") != std::string::npos)
        << route.method << " " << route.pattern;
  }
}

TEST_F(OpenApiTest, EveryRouteRefusesEveryRoleBelowItsOwn) {
  const std::vector<std::pair<AccessRole, std::string>> tokens{
      {AccessRole::kViewer, "a viewer's token"},
      {AccessRole::kOperator, "an operator's token"},
      {AccessRole::kAdmin, "an admin's token"}};
  std::size_t refused = 0;
  for (const Route& route : ApiRoutes()) {
    if (route.is_open) continue;
    EXPECT_EQ(Ask(route, ""), 401u) << route.pattern;
    EXPECT_EQ(Ask(route, "a wrong token"), 401u) << route.pattern;
    for (const auto& [role, token] : tokens) {
      if (!MayAct(role, route.role)) {
        EXPECT_EQ(Ask(route, token), 403u)
            << route.method << " " << route.pattern << " " << AccessRoleName(role);
        ++refused;
      } else if (route.method != "GET" && !route.is_record) {
        // Who is let in is stopped by the type of content, before the handler.
        EXPECT_EQ(Ask(route, token), 415u) << route.pattern << " " << AccessRoleName(role);
      }
    }
  }
  EXPECT_GT(refused, 50u);
}

TEST_F(OpenApiTest, WhoAmINamesWhatTheRoleMayUseAndNothingElse) {
  const std::vector<std::array<std::string, 3>> callers{{"vera", "viewer", "a viewer's token"},
                                                        {"olaf", "operator", "an operator's token"},
                                                        {"adam", "admin", "an admin's token"}};
  for (const auto& [name, role, token] : callers) {
    HttpRequest request;
    request.method = "GET";
    request.path = "/v1/whoami";
    request.headers = {{"host", "localhost"}, {"authorization", "Bearer " + token}};

    const Json answer = Json::parse(plane_.Handle(request).body);

    EXPECT_EQ(answer["name"], name);
    EXPECT_EQ(answer["role"], role);
    const auto operations = answer["operations"].get<std::set<std::string>>();
    for (const Route& route : ApiRoutes()) {
      const bool is_promised = !route.is_open && MayAct(*ParseAccessRole(role), route.role);
      EXPECT_EQ(operations.contains(route.method + " " + route.pattern), is_promised)
          << role << " " << route.method << " " << route.pattern;
    }
  }
}

TEST_F(OpenApiTest, IsServedWithoutAToken) {
  HttpRequest request;
  request.method = "GET";
  request.path = "/openapi.json";
  request.headers = {{"host", "localhost"}};

  const HttpResponse response = plane_.Handle(request);

  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, kOpenApiText);
}

TEST_F(OpenApiTest, EveryReferenceLeadsSomewhere) {
  const std::string text(kOpenApiText);
  const std::string kMark = "\"$ref\": \"#";
  std::size_t count = 0;
  for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
    const auto begin = at + kMark.size();
    const std::string pointer = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(document_.contains(Json::json_pointer(pointer))) << pointer;
    ++count;
  }
  EXPECT_GT(count, 100u);
}

}  // namespace
}  // namespace switchback
