// The routes as a client meets them, without sockets: access, errors, and what each answers.
#include "server/http/control_plane.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/expect_ok.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

constexpr char kFlagPath[] = "/v1/flags/USE_UNIFIED_DB_SERVICE";

class ControlPlaneTest : public testing::Test {
 protected:
  ControlPlaneTest() { watcher_.Start(); }

  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"host", "127.0.0.1:8080"}, {"content-type", "application/json"}};
    request.body = body;
    return control_plane_.Handle(request);
  }
  Json AskJson(const std::string& method, const std::string& path, const std::string& body = "") {
    return Json::parse(Ask(method, path, body).body, nullptr, false);
  }
  // The kind of problem that the answer is, "" when it is none.
  std::string Problem(const std::string& method, const std::string& path,
                      const std::string& body = "") {
    const std::string type = AskJson(method, path, body).value("type", "");
    return type.substr(std::min(type.size(), std::string("urn:switchback:error:").size()));
  }

  ScratchFolder folder_;
  const std::string flags_path_ = folder_.path() + "/flags.json";
  StubService service_;
  FlagWatcher watcher_{flags_path_, service_.flags(), [](const auto&) {}, SystemClock()};
  const std::unique_ptr<Journal> journal_ =
      test::Must(Journal::Open(folder_.path() + "/control.sqlite", SystemClock()));
  const std::unique_ptr<Migrator> migrator_ =
      test::Must(Migrator::Open(service_, *journal_, SystemClock(), {}));
  ControlPlane control_plane_{ControlPlaneParts{service_,
                                                watcher_,
                                                *migrator_,
                                                SystemClock(),
                                                [] { return ServerCounters(); },
                                                {folder_.path(), flags_path_, {}}},
                              AccessOptions{}};
};

TEST_F(ControlPlaneTest, IsAliveAndReady) {
  EXPECT_EQ(Ask("GET", "/healthz").status, 200u);
  EXPECT_EQ(Ask("GET", "/readyz").status, 200u);
}

TEST_F(ControlPlaneTest, IsReadyWhileOneStoreIsInSync) {
  service_.status.followers[Index(Role::kLegacy)].state = FollowerState::kFailed;

  EXPECT_EQ(Ask("GET", "/readyz").status, 200u);
}

TEST_F(ControlPlaneTest, IsNotReadyWhenNoStoreCanBeReadAndSaysWhy) {
  for (FollowerStatus& follower : service_.status.followers) {
    follower.state = FollowerState::kFailed;
    follower.reason = "the disk is gone";
  }

  const auto response = Ask("GET", "/readyz");

  EXPECT_EQ(response.status, 503u);
  EXPECT_THAT(response.body, HasSubstr("legacy is failed: the disk is gone"));
  EXPECT_THAT(response.body, HasSubstr("unified is failed: the disk is gone"));
}

TEST_F(ControlPlaneTest, IsNotReadyWhenTheLogFailed) {
  service_.status.is_log_failed = true;
  service_.status.log_error = "no space";

  EXPECT_EQ(Ask("GET", "/readyz").status, 503u);
  EXPECT_THAT(Ask("GET", "/readyz").body, HasSubstr("no space"));
  EXPECT_EQ(Ask("GET", "/healthz").status, 200u);
}

TEST_F(ControlPlaneTest, IsNotReadyWhenItStops) {
  control_plane_.BeginStop();

  EXPECT_EQ(Ask("GET", "/readyz").status, 503u);
  EXPECT_EQ(Ask("GET", "/healthz").status, 200u);
}

TEST_F(ControlPlaneTest, ServesMetricsAsPrometheusText) {
  const auto response = Ask("GET", "/metrics");

  EXPECT_EQ(response.status, 200u);
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("switchback_build_info"));
}

TEST_F(ControlPlaneTest, StatusHoldsEverything) {
  service_.status.last_sequence = 42;

  const Json status = AskJson("GET", "/v1/status");

  EXPECT_EQ(status["last_sequence"], 42);
  EXPECT_EQ(status["stage"], "dualwrite");
  EXPECT_EQ(status["followers"]["unified"]["state"], "in-sync");
  for (const char* member :
       {"version", "data_dir", "uptime_seconds", "generation", "epoch", "routing", "memtable",
        "log", "writes", "operations", "flags", "migration", "server", "process"})
    EXPECT_TRUE(status.contains(member)) << member;
}

TEST_F(ControlPlaneTest, SaysWhatIsWrongWithPathAndMethod) {
  EXPECT_EQ(Ask("GET", "/nothing").status, 404u);
  const auto wrong = Ask("POST", "/healthz");
  EXPECT_EQ(wrong.status, 405u);
  ASSERT_EQ(wrong.headers.size(), 2u);
  EXPECT_EQ(wrong.headers[0], std::make_pair(std::string("Allow"), std::string("GET, HEAD")));
  EXPECT_EQ(wrong.headers[1].first, "X-Request-Id");
}

TEST_F(ControlPlaneTest, ExplainsWhichStoreAKeyGets) {
  Ask("PUT", kFlagPath, R"({"enabled": true})");

  const Json on = AskJson("GET", std::string(kFlagPath) + "/explain", "");
  EXPECT_EQ(on["status"], 400) << "no key";
  HttpRequest request;
  request.method = "GET";
  request.path = std::string(kFlagPath) + "/explain";
  request.query = "key=%7Btenant%7D%3A1&collection=users";
  request.headers = {{"host", "localhost"}};
  const auto explain = [&] { return Json::parse(control_plane_.Handle(request).body); };
  Json answer = explain();
  EXPECT_EQ(answer["entity"], "tenant");
  EXPECT_EQ(answer["cause"], "below-share");
  EXPECT_EQ(answer["store"], "unified");

  service_.status.followers[Index(Role::kUnified)].collections = {"orders"};
  EXPECT_EQ(explain()["store"], "legacy") << "unified does not hold it";
  service_.status.followers[Index(Role::kUnified)].collections.clear();
  service_.may_apply = Fail(ErrorCode::kRefused, "not filled yet");
  answer = explain();
  EXPECT_EQ(answer["asked_store"], "unified");
  EXPECT_EQ(answer["store"], "legacy");
  EXPECT_EQ(answer["reason"], "not filled yet");
}

TEST_F(ControlPlaneTest, ShowsTheUnifiedFlagAlsoWhenNoFileNamesIt) {
  const Json flag = AskJson("GET", kFlagPath);
  const Json list = AskJson("GET", "/v1/flags");

  EXPECT_EQ(flag["name"], "USE_UNIFIED_DB_SERVICE");
  EXPECT_EQ(flag["enabled"], false);
  ASSERT_EQ(list["flags"].size(), 1u);
  EXPECT_EQ(list["file"], flags_path_);
  EXPECT_EQ(Problem("GET", "/v1/flags/OTHER"), "not-found");
}

TEST_F(ControlPlaneTest, SettingAFlagEditsTheFileAndIsInEffectAtOnce) {
  const Json flag = AskJson("PUT", kFlagPath, R"({"enabled": true, "percentage": 25})");

  EXPECT_EQ(flag["desired_percentage"], 25);
  EXPECT_EQ(flag["effective_percentage"], 25);
  EXPECT_EQ(flag["is_refused"], false);
  EXPECT_EQ(service_.flags().Current()->unified().share(), 25000u);
  const Json file = Json::parse(folder_.Read("flags.json"), nullptr, false);
  EXPECT_EQ(file["USE_UNIFIED_DB_SERVICE"]["percentage"], 25);
}

TEST_F(ControlPlaneTest, WithoutAPercentageAFlagIsOnForEverybody) {
  (void)Ask("PUT", kFlagPath, R"({"enabled": true, "percentage": 25})");

  const Json flag = AskJson("PUT", kFlagPath, R"({"enabled": true, "reason": "all in"})");

  EXPECT_EQ(flag["desired_percentage"], 100);
  EXPECT_EQ(flag["effective_percentage"], 100);
}

TEST_F(ControlPlaneTest, ARefusedFlipSaysWhyAndLeavesTheFileAlone) {
  (void)folder_.Write("flags.json", R"({"USE_UNIFIED_DB_SERVICE": false})");
  service_.may_apply = Fail(ErrorCode::kRefused, "unified is being filled");

  const auto response = Ask("PUT", kFlagPath, R"({"enabled": true, "percentage": 25})");

  EXPECT_EQ(response.status, 409u);
  const Json problem = Json::parse(response.body, nullptr, false);
  EXPECT_EQ(problem["type"], "urn:switchback:error:flip-refused");
  EXPECT_EQ(problem["detail"], "unified is being filled");
  EXPECT_EQ(folder_.Read("flags.json"), R"({"USE_UNIFIED_DB_SERVICE": false})");
}

TEST_F(ControlPlaneTest, RollingBackIsPossibleWhileAFlipIsNot) {
  (void)folder_.Write("flags.json", R"({"USE_UNIFIED_DB_SERVICE": true})");
  service_.may_apply = Fail(ErrorCode::kRefused, "unified is being filled");

  EXPECT_EQ(Ask("PUT", kFlagPath, R"({"enabled": false})").status, 200u);
  EXPECT_EQ(folder_.Read("flags.json").find("true"), std::string::npos);
}

TEST_F(ControlPlaneTest, SettingAFlagLeavesABrokenFileAlone) {
  (void)folder_.Write("flags.json", "{broken");

  EXPECT_EQ(Problem("PUT", kFlagPath, R"({"enabled": true})"), "flags-file-invalid");
  EXPECT_EQ(folder_.Read("flags.json"), "{broken");
}

TEST_F(ControlPlaneTest, SettingAFlagWantsAWholeAndKnownBody) {
  for (const char* body :
       {"", "{}", R"({"enabled": 1})", R"({"enabled": "true"})",
        R"({"enabled": true, "percentage": "25"})", R"({"enabled": true, "percentage": 101})",
        R"({"enabled": true, "percentage": -1})", R"({"enabled": true, "percentage": 0.0001})",
        R"({"enabled": true, "percent": 25})", R"({"enabled": true, "reason": 1})", "[true]"}) {
    EXPECT_EQ(Ask("PUT", kFlagPath, body).status, 400u) << body;
  }
  EXPECT_EQ(folder_.Read("flags.json"), "");
}

TEST_F(ControlPlaneTest, OtherFlagsCanBeSetAndAreNotJudged) {
  service_.may_apply = Fail(ErrorCode::kRefused, "no");

  EXPECT_EQ(AskJson("PUT", "/v1/flags/OTHER", R"({"enabled": true})")["effective_percentage"], 100);
  EXPECT_EQ(AskJson("GET", "/v1/flags/OTHER")["enabled"], true);
  EXPECT_EQ(Ask("PUT", "/v1/flags/not%20a%20name", R"({"enabled": true})").status, 400u);
}

TEST_F(ControlPlaneTest, MigrationIsRefusedWithTheReason) {
  const auto response = Ask("POST", "/v1/migration/start");

  EXPECT_EQ(response.status, 409u);
  EXPECT_EQ(AskJson("GET", "/v1/migration").value("state", ""), "complete");
  EXPECT_EQ(Ask("POST", "/v1/migration/start", R"({"x": 1})").status, 400u);
}

TEST_F(ControlPlaneTest, AcceptingAForeignWriteIsRefusedWhenThereWasNone) {
  EXPECT_EQ(Ask("POST", "/v1/legacy/accept").status, 409u);
  EXPECT_EQ(Ask("POST", "/v1/legacy/accept", R"({"x": 1})").status, 400u);
}

TEST_F(ControlPlaneTest, DrainWaitsInSlicesUntilItIsDone) {
  service_.status.last_sequence = 7;
  service_.drains = {Fail(ErrorCode::kBusy, "unified holds it up"),
                     Fail(ErrorCode::kBusy, "unified holds it up"), Status()};

  const Json answer = AskJson("POST", "/v1/drain");

  EXPECT_EQ(answer["drained"], true);
  EXPECT_EQ(answer["last_sequence"], 7);
  EXPECT_EQ(service_.drain_waits.size(), 3u);
}

TEST_F(ControlPlaneTest, DrainGivesUpWhenTheTimeIsUp) {
  service_.drains = {Fail(ErrorCode::kBusy, "unified holds it up")};

  const auto response = Ask("POST", "/v1/drain", R"({"wait_ms_max": 0})");

  EXPECT_EQ(response.status, 429u);
  EXPECT_THAT(response.body, HasSubstr("unified holds it up"));
  EXPECT_THAT(service_.drain_waits, ElementsAre(std::chrono::milliseconds(0)));
}

TEST_F(ControlPlaneTest, DrainGivesUpWhenTheServerStops) {
  service_.drains = {Fail(ErrorCode::kBusy, "unified holds it up")};
  control_plane_.BeginStop();

  EXPECT_EQ(Ask("POST", "/v1/drain").status, 503u);
  EXPECT_EQ(service_.drain_waits.size(), 1u);
}

TEST_F(ControlPlaneTest, DrainRefusesAnEndlessWait) {
  for (const char* body : {R"({"wait_ms_max": 600001})", R"({"wait_ms_max": -1})",
                           R"({"wait_ms_max": 1.5})", R"({"wait_ms_max": "1"})"})
    EXPECT_EQ(Ask("POST", "/v1/drain", body).status, 400u) << body;
}

TEST_F(ControlPlaneTest, RequestsThatWaitAreMarked) {
  HttpRequest request;
  request.path = "/v1/drain";
  request.method = "POST";
  EXPECT_TRUE(control_plane_.MayBlock(request));
  request.method = "GET";
  EXPECT_FALSE(control_plane_.MayBlock(request));
  request.path = "/healthz";
  EXPECT_FALSE(control_plane_.MayBlock(request));
}

TEST_F(ControlPlaneTest, EveryRouteRefusesForeignHostsAndPages) {
  for (const Route& route : control_plane_.router().routes()) {
    HttpRequest request;
    request.method = route.method;
    request.path = route.pattern;
    request.headers = {{"host", "evil.example"}, {"content-type", "application/json"}};
    EXPECT_EQ(control_plane_.Handle(request).status, 421u) << route.pattern;

    request.headers["host"] = "localhost";
    request.headers["origin"] = "http://evil.example";
    EXPECT_EQ(control_plane_.Handle(request).status, 403u) << route.pattern;
  }
}

TEST_F(ControlPlaneTest, EveryChangeWantsJson) {
  std::set<std::string> methods;
  for (const Route& route : control_plane_.router().routes()) {
    methods.insert(route.method);
    // A record's value is of any type; a page of another site cannot PUT or DELETE.
    if (route.method == "GET" || route.pattern.ends_with("/records/{key}")) continue;
    HttpRequest request;
    request.method = route.method;
    request.path = route.pattern;
    request.headers = {{"host", "localhost"}, {"content-type", "text/plain"}};
    EXPECT_EQ(control_plane_.Handle(request).status, 415u) << route.pattern;
  }
  EXPECT_THAT(methods, ElementsAre("DELETE", "GET", "POST", "PUT"));
}

TEST_F(ControlPlaneTest, WithATokenOnlyHealthAndReadinessAreOpen) {
  const ControlPlane guarded(ControlPlaneParts{service_,
                                               watcher_,
                                               *migrator_,
                                               SystemClock(),
                                               [] { return ServerCounters(); },
                                               {folder_.path(), flags_path_, {}}},
                             AccessOptions{"127.0.0.1", {}, "s3cret"});
  std::vector<std::string> open;
  for (const Route& route : guarded.router().routes()) {
    HttpRequest request;
    request.method = route.method;
    request.path = route.pattern;
    request.headers = {{"host", "localhost"}, {"content-type", "application/json"}};
    if (guarded.Handle(request).status != 401) open.push_back(route.pattern);
  }
  // The console's files hold nothing of this server's.
  std::erase_if(open, [](const std::string& path) { return path.starts_with("/console/"); });
  EXPECT_THAT(open, ElementsAre("/healthz", "/readyz", "/openapi.json", "/"));

  HttpRequest request;
  request.method = "GET";
  request.path = "/nothing";
  request.headers = {{"host", "localhost"}};
  EXPECT_EQ(guarded.Handle(request).status, 401u) << "paths are not told to strangers";
  request.headers["authorization"] = "Bearer s3cret";
  EXPECT_EQ(guarded.Handle(request).status, 404u);
}

TEST_F(ControlPlaneTest, AnswersOfrepForOneFlag) {
  (void)folder_.Write("flags.json", R"({"flags": {
      "USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25},
      "COLOUR": {"state": "ENABLED", "variants": {"r": "red"}, "defaultVariant": "r",
                 "metadata": {"team": "a"}},
      "LEFT": {"state": "ENABLED", "variants": {"r": "red"}},
      "BROKEN": {"state": "ENABLED", "variants": {"r": "red"}, "targeting": {"bogus": 1}},
      "ASTRAY": {"state": "ENABLED", "variants": {"r": "red"}, "targeting": {"if": [true, "x"]}}}})");
  ASSERT_TRUE(watcher_.ReloadNow());
  const std::string path = "/ofrep/v1/evaluate/flags/";
  const std::string body = R"({"context": {"targetingKey": "user:1"}})";

  const Json split = AskJson("POST", path + "USE_UNIFIED_DB_SERVICE", body);
  EXPECT_EQ(split["key"], "USE_UNIFIED_DB_SERVICE");
  EXPECT_EQ(split["reason"], "SPLIT");
  EXPECT_EQ(split["value"], service_.flags().Current()->unified().Decide("user:1"));
  EXPECT_EQ(split["variant"], split["value"] == true ? "on" : "off");
  const Json colour = AskJson("POST", path + "COLOUR");
  EXPECT_EQ(colour["value"], "red");
  EXPECT_EQ(colour["reason"], "STATIC");
  EXPECT_EQ(colour["metadata"]["team"], "a");
  const Json left = AskJson("POST", path + "LEFT");
  EXPECT_FALSE(left.contains("value"));
  EXPECT_EQ(left["reason"], "DEFAULT");

  const auto error = [&](const std::string& name, const std::string& text) {
    const HttpResponse response = Ask("POST", path + name, text);
    const Json json = Json::parse(response.body, nullptr, false);
    EXPECT_EQ(json["key"], name);
    return std::to_string(response.status) + " " + json.value("errorCode", "");
  };
  EXPECT_EQ(error("NONE", "{}"), "404 FLAG_NOT_FOUND");
  EXPECT_EQ(error("USE_UNIFIED_DB_SERVICE", "{}"), "400 TARGETING_KEY_MISSING");
  EXPECT_EQ(error("USE_UNIFIED_DB_SERVICE", "{"), "400 PARSE_ERROR");
  EXPECT_EQ(error("USE_UNIFIED_DB_SERVICE", R"({"context": 1})"), "400 INVALID_CONTEXT");
  EXPECT_EQ(error("COLOUR", R"({"context": {"targetingKey": 1}})"), "400 INVALID_CONTEXT");
  EXPECT_EQ(error("BROKEN", body), "400 PARSE_ERROR");
  EXPECT_EQ(error("ASTRAY", body), "400 GENERAL");
}

TEST_F(ControlPlaneTest, AnswersOfrepForAllFlagsWithATag) {
  (void)folder_.Write("flags.json", R"({"A": true, "USE_UNIFIED_DB_SERVICE":
      {"enabled": true, "percentage": 25}})");
  ASSERT_TRUE(watcher_.ReloadNow());
  HttpRequest request;
  request.method = "POST";
  request.path = "/ofrep/v1/evaluate/flags";
  request.headers = {{"host", "127.0.0.1:8080"}, {"content-type", "application/json"}};
  request.body = R"({"context": {"targetingKey": "user:1"}})";
  const auto tag = [&](const HttpResponse& response) {
    for (const auto& [name, value] : response.headers) {
      if (name == "ETag") return value;
    }
    return std::string();
  };

  const HttpResponse first = control_plane_.Handle(request);
  EXPECT_EQ(first.status, 200u);
  EXPECT_EQ(Json::parse(first.body, nullptr, false)["flags"].size(), 2u);
  request.headers["if-none-match"] = tag(first);
  const HttpResponse again = control_plane_.Handle(request);
  EXPECT_EQ(again.status, 304u);
  EXPECT_EQ(again.body, "");
  EXPECT_EQ(tag(again), tag(first));
  // Another context, another tag; so with another revision.
  request.body = R"({"context": {"targetingKey": "user:2"}})";
  EXPECT_EQ(control_plane_.Handle(request).status, 200u);
  request.body = R"({"context": {"targetingKey": "user:1"}})";
  (void)folder_.Write("flags.json", R"({"A": true, "USE_UNIFIED_DB_SERVICE":
      {"enabled": true, "percentage": 26}})");
  ASSERT_TRUE(watcher_.ReloadNow());
  EXPECT_EQ(control_plane_.Handle(request).status, 200u);
  // One without a key is an error among the others, not of the whole answer.
  request.body = "";
  const Json keyless = Json::parse(control_plane_.Handle(request).body, nullptr, false);
  EXPECT_EQ(keyless["flags"][1]["errorCode"], "TARGETING_KEY_MISSING");
}

}  // namespace
}  // namespace switchback
