// The routes of backups: what they answer and what they refuse. The service is a stub that cannot
// pin its stores; tests/integration/backup_test.py has the real one.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "server/http/control_plane.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"
#include "tests/unit/server/http/stub_service.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

class BackupHandlersTest : public testing::Test {
 protected:
  HttpResponse Ask(const std::string& method, const std::string& path,
                   const std::string& body = "") {
    const ControlPlane control_plane(ControlPlaneParts{service_,
                                                       watcher_,
                                                       *migrator_,
                                                       SystemClock(),
                                                       [] { return ServerCounters(); },
                                                       {folder_.path(), "", {}},
                                                       nullptr,
                                                       nullptr,
                                                       nullptr,
                                                       has_backups_ ? backups_.get() : nullptr},
                                     AccessOptions{});
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"host", "127.0.0.1"}, {"content-type", "application/json"}};
    request.body = body;
    return control_plane.Handle(request);
  }
  static BackupManagerOptions Options(const std::string& directory) {
    BackupManagerOptions options;
    options.directory = directory;
    return options;
  }

  bool has_backups_ = true;
  ScratchFolder folder_;
  StubService service_;
  FlagWatcher watcher_{folder_.path() + "/flags.json", service_.flags(), [](const auto&) {},
                       SystemClock()};
  std::unique_ptr<Journal> journal_ =
      Journal::Open(folder_.path() + "/control.sqlite", SystemClock()).value();
  const std::unique_ptr<Migrator> migrator_ =
      Migrator::Open(service_, *journal_, SystemClock(), {}).value();
  const std::unique_ptr<BackupManager> backups_ =
      BackupManager::Open(service_, *journal_, SystemClock(), Options(folder_.path() + "/backups"))
          .value();
};

TEST_F(BackupHandlersTest, WhereThereAreNoneTheListIsEmpty) {
  const HttpResponse response = Ask("GET", "/v1/backups");

  EXPECT_EQ(response.status, 200u);
  const Json list = Json::parse(response.body);
  EXPECT_EQ(list["count"], 0);
  EXPECT_EQ(list["directory"], folder_.path() + "/backups");
  EXPECT_EQ(list["has_target"], false);
  EXPECT_EQ(list["is_uploading"], false);
  EXPECT_EQ(Json::parse(Ask("GET", "/v1/backups/status").body)["state"], "none");
}

TEST_F(BackupHandlersTest, BodiesAreChecked) {
  const std::pair<const char*, const char*> wrong[] = {
      {"/v1/backups", R"({"note": 1})"},          {"/v1/backups", R"({"compress": "yes"})"},
      {"/v1/backups", R"({"reason": "x"})"},      {"/v1/backups/prune", R"({"dry_run": 1})"},
      {"/v1/backups/a/verify", R"({"full": 1})"}, {"/v1/backups/a/pin", R"({"full": true})"}};
  for (const auto& [path, body] : wrong)
    EXPECT_EQ(Ask("POST", path, body).status, 400u) << path << " " << body;
}

TEST_F(BackupHandlersTest, WhatIsNotThereIsNotFoundAndWhatIsNoIdIsRefused) {
  for (const char* what : {"", "/verify", "/pin", "/unpin"}) {
    const std::string method = *what == '\0' ? "GET" : "POST";
    EXPECT_EQ(Ask(method, std::string("/v1/backups/a") + what).status, 404u) << what;
    EXPECT_EQ(Ask(method, std::string("/v1/backups/..%2Fa") + what).status, 400u) << what;
  }
  EXPECT_EQ(Ask("DELETE", "/v1/backups/a").status, 404u);
  EXPECT_EQ(Ask("DELETE", "/v1/backups/%2e%2e").status, 400u);
  EXPECT_EQ(Ask("POST", "/v1/backups/cancel").status, 404u);
}

TEST_F(BackupHandlersTest, AFailureIsInTheStatus) {
  EXPECT_EQ(Ask("POST", "/v1/backups", R"({"note": "n", "actor": "me"})").status, 202u);

  Json status;
  do {
    std::this_thread::yield();
    status = Json::parse(Ask("GET", "/v1/backups/status").body);
  } while (status["state"] == "running");

  EXPECT_EQ(status["state"], "failed");
  EXPECT_EQ(status["error_code"], "unsupported");
  EXPECT_EQ(status["actor"], "me");
}

TEST_F(BackupHandlersTest, AServerWithoutBackupsSaysSo) {
  has_backups_ = false;

  EXPECT_EQ(Ask("GET", "/v1/backups").status, 503u);
  EXPECT_EQ(Ask("POST", "/v1/backups", "{}").status, 503u);
}

}  // namespace
}  // namespace switchback
