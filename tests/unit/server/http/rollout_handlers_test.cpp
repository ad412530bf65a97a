#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/control_plane.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class RolloutHandlersTest : public testing::Test {
 protected:
  void SetUp() override {
    guard_.state = "watching";
    watcher_.Start();
  }

  ControlPlaneParts Parts(Rollout* rollout) {
    ControlPlaneParts parts{service_,
                            watcher_,
                            *migrator_,
                            SystemClock(),
                            [] { return ServerCounters(); },
                            {folder_.path(), flags_path_, {}}};
    parts.rollout = rollout;
    return parts;
  }
  static HttpResponse Ask(const ControlPlane& plane, const std::string& method,
                          const std::string& path, const std::string& body = "") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"host", "127.0.0.1:8080"}, {"content-type", "application/json"}};
    request.body = body;
    return plane.Handle(request);
  }
  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    return Ask(plane_, method, path, body);
  }

  ScratchFolder folder_;
  const std::string flags_path_ = folder_.path() + "/flags.json";
  StubService service_;
  FlagWatcher watcher_{flags_path_, service_.flags(), [](const auto&) {}, SystemClock()};
  std::unique_ptr<Journal> journal_ =
      Journal::Open(folder_.path() + "/control.sqlite", SystemClock()).value();
  const std::unique_ptr<Migrator> migrator_ =
      Migrator::Open(service_, *journal_, SystemClock(), {}).value();
  GuardStatus guard_;
  const std::unique_ptr<Rollout> rollout_ =
      Rollout::Open({service_, *journal_, SystemClock(), flags_path_,
                     [this] { return watcher_.ReloadNow(); }, [this] { return guard_; }})
          .value();
  const ControlPlane plane_{Parts(rollout_.get()), AccessOptions{}};
};

TEST_F(RolloutHandlersTest, BeginsShowsAndEndsOne) {
  EXPECT_EQ(Json::parse(Ask("GET", "/v1/rollout").body)["state"], "none");

  const auto started =
      Ask("POST", "/v1/rollout/start", R"({"steps": [5, 12.5, 100], "actor": "ann"})");
  EXPECT_EQ(started.status, 202u) << started.body;
  Json status = Json::parse(started.body);
  EXPECT_EQ(status["state"], "running");
  EXPECT_EQ(status["desired_percentage"], 5);
  EXPECT_EQ(status["interval_seconds"], 600);
  EXPECT_EQ(status["operations_min"], 1000);
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("switchback_rollout_share 0.05"));

  EXPECT_EQ(Json::parse(Ask("POST", "/v1/rollout/pause").body)["state"], "paused");
  EXPECT_EQ(Json::parse(Ask("POST", "/v1/rollout/resume").body)["state"], "running");
  status = Json::parse(Ask("POST", "/v1/rollout/promote").body);
  EXPECT_EQ(status["percentage"], 12.5);
  status = Json::parse(Ask("POST", "/v1/rollout/abort", R"({"to_zero": true})").body);
  EXPECT_EQ(status["state"], "aborted");
  EXPECT_EQ(status["desired_percentage"], 0);
  EXPECT_EQ(Ask("POST", "/v1/rollout/pause").status, 404u);
}

TEST_F(RolloutHandlersTest, ADryRunShowsThePlanAndWhatSpeaksAgainstIt) {
  service_.may_apply = Fail(ErrorCode::kRefused, "not verified");
  const auto planned = Ask("POST", "/v1/rollout/start", R"({"steps": [5, 100], "dry_run": true})");
  EXPECT_EQ(planned.status, 200u);
  const Json plan = Json::parse(planned.body);
  EXPECT_EQ(plan["steps"].size(), 2u);
  EXPECT_EQ(plan["refusals"], Json::array({"not verified"}));
  EXPECT_EQ(Json::parse(Ask("GET", "/v1/rollout").body)["state"], "none");
  EXPECT_EQ(Ask("POST", "/v1/rollout/start", R"({"steps": [5, 100]})").status, 409u);
}

TEST_F(RolloutHandlersTest, WrongBodiesAreRejected) {
  for (const char* body :
       {"{}", R"({"steps": 5})", R"({"steps": ["5"]})", R"({"steps": []})",
        R"({"steps": [5], "interval_seconds": 0})", R"({"steps": [5], "interval_seconds": 1e300})",
        R"({"steps": [5], "operations_min": -1})", R"({"steps": [5], "other": 1})"}) {
    EXPECT_EQ(Ask("POST", "/v1/rollout/start", body).status, 400u) << body;
  }
  EXPECT_EQ(Ask("POST", "/v1/rollout/pause", R"({"to_zero": true})").status, 400u);
  EXPECT_EQ(Ask("POST", "/v1/rollout/start", R"({"steps": [5, 5]})").status, 409u);
}

TEST_F(RolloutHandlersTest, AServerWithoutRolloutsSaysSo) {
  const ControlPlane plane(Parts(nullptr), AccessOptions{});
  EXPECT_EQ(Ask(plane, "GET", "/v1/rollout").status, 503u);
  EXPECT_EQ(Ask(plane, "POST", "/v1/rollout/abort").status, 503u);
  EXPECT_THAT(Ask(plane, "GET", "/metrics").body,
              HasSubstr("switchback_rollout_state{state=\"none\"} 1"));
}

}  // namespace
}  // namespace switchback
