#include "server/cli/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/server_api.hpp"
#include "server/endpoints.hpp"
#include "server/http/problem.hpp"
#include "tests/unit/server/cli/program.hpp"
#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

// Nobody listens on port 1.
constexpr char kDeadUrl[] = "http://127.0.0.1:1";

TEST(CommandLine, QuestionsAreAnsweredWithExitCode0) {
  EXPECT_EQ(RunProgram({"--help"}).exit_code, 0);
  EXPECT_THAT(RunProgram({"--version"}).out, HasSubstr("switchback 0."));
  EXPECT_EQ(RunProgram({"--version"}).exit_code, 0);
}

TEST(CommandLine, EveryCommandHasHelpAndJson) {
  const std::vector<std::vector<std::string>> commands{{"serve"},
                                                       {"status"},
                                                       {"drain"},
                                                       {"detach"},
                                                       {"doctor"},
                                                       {"flags", "get"},
                                                       {"flags", "set"},
                                                       {"flags", "watch"},
                                                       {"bench"},
                                                       {"migrate", "start"},
                                                       {"migrate", "status"}};
  for (auto command : commands) {
    command.emplace_back("--help");
    const auto result = RunProgram(command);
    EXPECT_EQ(result.exit_code, 0) << command[0];
    EXPECT_THAT(result.out, HasSubstr("--json")) << command[0];
    EXPECT_THAT(RunProgram({"--help"}).out, HasSubstr(command[0]));
  }
}

TEST(CommandLine, WrongUsageIsExitCode2) {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"nonsense"},
      {"serve", "--nonsense"},
      {"serve", "--port", "x"},
      {"serve", "--port", "65536"},
      {"serve", "--ack", "both"},
      {"serve"},
      {"flags"},
      {"flags", "set", "X"},
      {"flags", "set", "X", "maybe"},
      {"flags", "set", "X", "true", "--percentage", "101"},
      {"migrate"},
      {"detach"},
      {"doctor"},
      {"status", "--url", "nonsense"}};
  for (const auto& arguments : wrong) {
    const auto result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_NE(result.err, "") << testing::PrintToString(arguments);
  }
}

TEST(CommandLine, AServerThatDoesNotAnswerIsExitCode1) {
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"status"}, {"migrate", "start"}, {"migrate", "status"}, {"drain"}, {"flags", "get"}}) {
    auto arguments = command;
    arguments.insert(arguments.end(), {"--url", kDeadUrl, "--json"});
    const auto result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 1) << command[0];
    EXPECT_THAT(result.err, HasSubstr(kDeadUrl)) << command[0];
    EXPECT_EQ(result.Json()["error"]["code"], "unavailable") << command[0];
  }
}

TEST(CommandLine, ADirectoryWithoutServerSaysSo) {
  const ScratchFolder folder;

  const auto result = RunProgram({"status", "--data-dir", folder.path()});

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("no server is running on " + folder.path()));
}

TEST(CommandLine, ServeRefusesANonLoopbackBindWithoutSecrets) {
  const ScratchFolder folder;

  const auto result =
      RunProgram({"serve", "--data-dir", folder.path() + "/data", "--bind", "0.0.0.0"});

  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("SWITCHBACK_PASSWORD"));
}

TEST(CommandLine, ServeFailsOnABrokenConfiguration) {
  const ScratchFolder folder;
  const std::string config = folder.Write("config.json", R"({"nonsense": 1})");

  const auto broken = RunProgram({"serve", "--config", config});
  const auto missing = RunProgram({"serve", "--config", folder.path() + "/none.json"});

  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.err, HasSubstr("unknown key \"nonsense\""));
  EXPECT_EQ(missing.exit_code, 1);
}

TEST(CommandLine, DetachWantsConfirmationAndADataDirectory) {
  const ScratchFolder folder;

  // The test's standard input is no terminal, or nobody types yes into it.
  const auto unconfirmed = RunProgram({"detach", "--data-dir", folder.path() + "/none", "--yes"});

  EXPECT_EQ(unconfirmed.exit_code, 1);
  EXPECT_THAT(unconfirmed.err, HasSubstr("is not a data directory"));
}

TEST(FlagsCommand, SetsAndShowsAFlagOfAFile) {
  const ScratchFolder folder;
  const std::string file = folder.path() + "/flags.json";

  const auto set = RunProgram(
      {"flags", "set", "USE_UNIFIED_DB_SERVICE", "true", "--percentage", "12.5", "--file", file});
  const auto get = RunProgram({"flags", "get", "USE_UNIFIED_DB_SERVICE", "--file", file, "--json"});

  EXPECT_EQ(set.exit_code, 0) << set.err;
  EXPECT_EQ(set.out, "USE_UNIFIED_DB_SERVICE  on  12.5 %\n");
  EXPECT_EQ(get.exit_code, 0) << get.err;
  EXPECT_EQ(get.Json()["enabled"], true);
  EXPECT_EQ(get.Json()["percentage"], 12.5);
}

TEST(FlagsCommand, AMissingFileMeansOff) {
  const ScratchFolder folder;

  const auto get = RunProgram({"flags", "get", "--data-dir", folder.path()});

  EXPECT_EQ(get.exit_code, 0) << get.err;
  EXPECT_EQ(get.out, "USE_UNIFIED_DB_SERVICE  off\n");
}

TEST(FlagsCommand, AnUnknownFlagIsAFailure) {
  const ScratchFolder folder;

  EXPECT_EQ(RunProgram({"flags", "get", "OTHER", "--data-dir", folder.path()}).exit_code, 1);
}

TEST(FlagsCommand, LeavesABrokenFileAlone) {
  const ScratchFolder folder;
  const std::string file = folder.Write("flags.json", "{broken");

  const auto set = RunProgram({"flags", "set", "X", "true", "--file", file});
  const auto get = RunProgram({"flags", "get", "--file", file});

  EXPECT_EQ(set.exit_code, 1);
  EXPECT_NE(get.exit_code, 0);
  EXPECT_EQ(folder.Read("flags.json"), "{broken");
}

TEST(FlagsCommand, EditsTheFileWhenTheServerHasDied) {
  const ScratchFolder folder;
  const std::string flags = folder.path() + "/elsewhere.json";
  ASSERT_TRUE(WriteEndpoints(folder.path(), {"127.0.0.1", 1, 1, 1, "", flags}).has_value());

  const auto set = RunProgram({"flags", "set", "X", "true", "--data-dir", folder.path()});

  EXPECT_EQ(set.exit_code, 0) << set.err;
  EXPECT_THAT(set.err, HasSubstr("editing the file"));
  EXPECT_THAT(folder.Read("elsewhere.json"), HasSubstr("\"X\""));
}

TEST(ServerApi, ProblemsBecomeErrorsWithTheirCodes) {
  const auto code = [](const HttpResponse& response) {
    return ErrorOfProblem(response.status, response.body).code;
  };

  EXPECT_EQ(code(ProblemResponse(409, "flip-refused", "no")), ErrorCode::kRefused);
  EXPECT_EQ(code(ProblemResponse(409, "flags-file-invalid", "no")), ErrorCode::kConflict);
  EXPECT_EQ(code(ProblemResponse(401, "unauthorized", "no")), ErrorCode::kUnavailable);
  EXPECT_EQ(code(ProblemResponse(418, "teapot", "no")), ErrorCode::kInternal);
  for (const ErrorCode each :
       {ErrorCode::kInvalidArgument, ErrorCode::kRefused, ErrorCode::kBusy, ErrorCode::kNoSpace})
    EXPECT_EQ(code(ProblemResponse(Error{each, "x"})), each);
}

TEST(ServerApi, AnAnswerThatIsNoProblemStillSaysItsStatus) {
  EXPECT_THAT(ErrorOfProblem(502, "<html>").message, HasSubstr("502"));
  EXPECT_THAT(ErrorOfProblem(401, R"({"detail": "no"})").message, HasSubstr("SWITCHBACK_TOKEN"));
}

}  // namespace
}  // namespace switchback
