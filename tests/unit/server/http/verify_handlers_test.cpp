#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/control_plane.hpp"
#include "server/http/query.hpp"
#include "server/http/verify_json.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class VerifyHandlersTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path.substr(0, path.find('?'));
    if (path.find('?') != std::string::npos) request.query = path.substr(path.find('?') + 1);
    request.headers = {{"host", "127.0.0.1:8080"}, {"content-type", "application/json"}};
    request.body = body;
    return control_plane_.Handle(request);
  }

  ScratchFolder folder_;
  StubService service_;
  FlagWatcher watcher_{folder_.path() + "/flags.json", service_.flags(), [](const auto&) {},
                       SystemClock()};
  std::unique_ptr<Journal> journal_ =
      Journal::Open(folder_.path() + "/control.sqlite", SystemClock()).value();
  const std::unique_ptr<Migrator> migrator_ =
      Migrator::Open(service_, *journal_, SystemClock(), {}).value();
  Verifier verifier_{service_, *journal_, SystemClock()};
  ControlPlane control_plane_{
      ControlPlaneParts{service_,
                        watcher_,
                        *migrator_,
                        SystemClock(),
                        [] { return ServerCounters(); },
                        {folder_.path(), folder_.path() + "/flags.json", {}},
                        &verifier_},
      AccessOptions{}};
};

TEST_F(VerifyHandlersTest, ShowsThatNoneWasAskedFor) {
  const auto response = Ask("GET", "/v1/verify");

  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(Json::parse(response.body)["state"], "none");
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("switchback_verify_state{state=\"none\"} 1"));
}

TEST_F(VerifyHandlersTest, WrongMembersAreRejected) {
  for (const char* body : {R"({"repair": "both"})", R"({"continuous": 1})",
                           R"({"bytes_per_second": -1})", R"({"collections": "a"})",
                           R"({"collections": [1]})", R"({"colections": []})", R"({"actor": 5})"}) {
    EXPECT_EQ(Ask("POST", "/v1/verify/start", body).status, 400u) << body;
  }
}

TEST_F(VerifyHandlersTest, StoreThatIsNotFilledIsAConflict) {
  service_.status.followers[Index(Role::kUnified)].state = FollowerState::kBackfilling;

  const auto response = Ask("POST", "/v1/verify/start", "{}");

  EXPECT_EQ(response.status, 409u);
  EXPECT_THAT(response.body, HasSubstr("backfilling"));
}

TEST_F(VerifyHandlersTest, NothingToCancelIsNotFound) {
  EXPECT_EQ(Ask("POST", "/v1/verify/cancel", "{}").status, 404u);
  EXPECT_EQ(Ask("POST", "/v1/verify/rate", R"({"bytes_per_second": 5})").status, 404u);
}

TEST_F(VerifyHandlersTest, DifferencesComeInPagesAndKeysOfAnyBytes) {
  VerifyFindings findings(*journal_);
  const std::string binary("\xff\0&", 3);
  const std::vector<Difference> differences{{"a", "1", {DigestOf("x"), std::nullopt}, 7},
                                            {"a", binary, {DigestOf("x"), DigestOf("y")}, 7}};
  ASSERT_TRUE(findings.Add(differences, 1).has_value());

  const Json first = Json::parse(Ask("GET", "/v1/verify/differences?limit=1").body);
  ASSERT_TRUE(first["next"].is_string());
  const Json second = Json::parse(Ask("GET", first["next"].get<std::string>()).body);
  const Json third = Json::parse(Ask("GET", second["next"].get<std::string>()).body);

  EXPECT_EQ(first["differences"][0]["key"], "1");
  EXPECT_EQ(first["differences"][0]["kind"], "missing");
  EXPECT_TRUE(first["differences"][0]["unified"].is_null());
  EXPECT_FALSE(second["differences"][0].contains("key"));
  EXPECT_EQ(second["differences"][0]["key_base64"], "/wAm");
  EXPECT_EQ(third["differences"].size(), 0u);
  EXPECT_EQ(Ask("GET", "/v1/verify/differences?limit=0").status, 400u);
}

TEST(Query, HoldsAnyBytes) {
  const std::string bytes("a b&=%\0\xff", 8);

  const auto query = ParseQuery("x=" + PercentEncode(bytes) + "&y");

  ASSERT_TRUE(query.has_value());
  EXPECT_EQ(query->at("x"), bytes);
  EXPECT_EQ(query->at("y"), "");
  EXPECT_FALSE(ParseQuery("x=%").has_value());
  EXPECT_FALSE(ParseQuery("x=1&x=2").has_value());
}

}  // namespace
}  // namespace switchback
