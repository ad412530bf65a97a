// Commands against a server whose answers the test writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>

#include "server/http/http_server.hpp"
#include "server/http/problem.hpp"
#include "server/process.hpp"
#include "tests/unit/server/cli/program.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

HttpResponse JsonAnswer(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

class RemoteCommandsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.Start().has_value()); }
  void TearDown() override {
    server_.Stop(std::chrono::milliseconds(1000));
    ::unsetenv("SWITCHBACK_URL");
    ::unsetenv("SWITCHBACK_TOKEN");
  }

  [[nodiscard]] std::string Url() const {
    return "http://127.0.0.1:" + std::to_string(server_.port());
  }
  [[nodiscard]] ProgramResult Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--url", Url()});
    return RunProgram(arguments);
  }

  // Filled and read by the test's thread while no request is under way, used by the server's io
  // thread during one.
  std::deque<HttpResponse> answers_;
  std::vector<std::string> requests_;
  std::vector<std::string> tokens_;

 private:
  HttpResponse Answer(const HttpRequest& request) {
    requests_.push_back(request.method + " " + request.path + " " + request.body);
    tokens_.emplace_back(request.Header("authorization"));
    if (answers_.empty()) return ProblemResponse(500, "internal", "no answer is left");
    HttpResponse answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  HttpServer server_{{[this](const HttpRequest& request) { return Answer(request); },
                      [](const HttpRequest&) { return false; }},
                     {}};
};

TEST_F(RemoteCommandsTest, ARefusedFlipIsExitCode3WithTheReason) {
  answers_.push_back(ProblemResponse(409, "flip-refused", "unified is being filled"));

  const auto result = Run({"flags", "set", "USE_UNIFIED_DB_SERVICE", "true", "--percentage", "25",
                           "--reason", "half past nine", "--json"});

  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("unified is being filled"));
  EXPECT_EQ(result.Json()["error"]["code"], "refused");
  EXPECT_THAT(requests_,
              ElementsAre("PUT /v1/flags/USE_UNIFIED_DB_SERVICE "
                          R"({"enabled":true,"percentage":25.0,"reason":"half past nine",)"
                          R"("actor":")" +
                          LocalUser() + "\"}\n"));
}

TEST_F(RemoteCommandsTest, AFlagThatIsNotInEffectSaysWhy) {
  answers_.push_back(JsonAnswer(
      R"({"flags": [{"name": "X", "enabled": true, "percentage": 25, "desired_percentage": 25,
          "effective_percentage": 0, "reason": "unified lags"}], "warning": "line 3: not JSON"})"));

  const auto result = Run({"flags", "get"});

  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "X  on  25 %  (in effect: 0 %: unified lags)\n");
  EXPECT_THAT(result.err, HasSubstr("warning: line 3: not JSON"));
}

TEST_F(RemoteCommandsTest, MigrateWaitsUntilItIsComplete) {
  answers_.push_back(JsonAnswer(R"({"state": "running", "percent": 10, "records_total": 100,
                                    "records_done": 10, "eta_seconds": 9.5})"));
  answers_.push_back(JsonAnswer(R"({"state": "running", "percent": 50})"));
  answers_.push_back(JsonAnswer(R"({"state": "complete", "percent": 100, "records_total": 100,
                                    "records_done": 100, "can_flip": true})"));

  const auto result = Run({"migrate", "start", "--wait"});

  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("10.0 %  10 of 100 records, 0 a second, 0 B/s, 9 s left\n"));
  EXPECT_THAT(result.out, HasSubstr("migration: complete, 100 of 100 records"));
  EXPECT_THAT(result.out, HasSubstr("the flag may be switched on"));
  EXPECT_THAT(requests_, ElementsAre("POST /v1/migration/start {\"actor\":\"" + LocalUser() +
                                         "\",\"reverse\":false,\"settings\":{}}\n",
                                     "GET /v1/migration ", "GET /v1/migration "));
}

TEST_F(RemoteCommandsTest, AFailedMigrationIsExitCode1) {
  answers_.push_back(JsonAnswer(R"({"state": "running"})"));
  answers_.push_back(JsonAnswer(R"({"state": "failed", "error": "the disk is full"})"));

  const auto result = Run({"migrate", "start", "--wait"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("error: the disk is full"));
}

TEST_F(RemoteCommandsTest, AMigrationThatIsRefusedIsExitCode3) {
  answers_.push_back(ProblemResponse(Error{ErrorCode::kRefused, "there is nothing to fill"}));

  EXPECT_EQ(Run({"migrate", "start"}).exit_code, 3);
}

TEST_F(RemoteCommandsTest, DrainPassesTheWaitOn) {
  answers_.push_back(ProblemResponse(Error{ErrorCode::kBusy, "unified holds it up"}));

  const auto result = Run({"drain", "--wait-max", "2"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("unified holds it up"));
  EXPECT_THAT(requests_, ElementsAre("POST /v1/drain {\"wait_ms_max\":2000}\n"));
}

TEST_F(RemoteCommandsTest, TheEnvironmentNamesServerAndToken) {
  ::setenv("SWITCHBACK_URL", Url().c_str(), 1);
  ::setenv("SWITCHBACK_TOKEN", "s3cret", 1);
  answers_.push_back(JsonAnswer("{}"));

  const auto result = RunProgram({"status"});

  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(tokens_, ElementsAre("Bearer s3cret"));
}

TEST_F(RemoteCommandsTest, ADirectoryWinsOverTheEnvironmentAndTheUrlOverBoth) {
  ::setenv("SWITCHBACK_URL", Url().c_str(), 1);
  const ScratchFolder folder;
  answers_.push_back(JsonAnswer("{}"));

  EXPECT_EQ(RunProgram({"status", "--data-dir", folder.path()}).exit_code, 1);
  EXPECT_TRUE(requests_.empty());
  EXPECT_EQ(Run({"status", "--data-dir", folder.path()}).exit_code, 0);
}

TEST_F(RemoteCommandsTest, AMissingTokenIsSaidAndIsNotARefusal) {
  answers_.push_back(ProblemResponse(401, "unauthorized", "this server asks for a token"));

  const auto result = Run({"status"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("SWITCHBACK_TOKEN"));
}

TEST_F(RemoteCommandsTest, AForeignServerIsRecognised) {
  answers_.push_back(JsonAnswer("<html>hello</html>"));

  const auto result = Run({"status"});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("is this a switchback?"));
}

}  // namespace
}  // namespace switchback
