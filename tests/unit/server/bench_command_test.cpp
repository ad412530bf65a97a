// `switchback bench` as its user sees it: exit codes, output, files. Runs are tiny.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/file.hpp"
#include "server/bench/data_directory.hpp"
#include "server/cli/commands.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

constexpr std::size_t kFileBytesMax = 1 << 20;

class BenchCommand : public testing::Test {
 protected:
  // Runs `switchback bench ARGUMENTS`; the output is in `out`.
  int Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "bench");
    arguments.insert(arguments.end(), {"--data-dir", directory_.path()});
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    CLI::App app;
    int exit_code = -1;
    AddBenchCommand(app, exit_code);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::ParseError& error) {
      exit_code = kExitUsage;
    }
    out = testing::internal::GetCapturedStdout();
    err = testing::internal::GetCapturedStderr();
    return exit_code;
  }

  static std::vector<std::string> Tiny(std::vector<std::string> more) {
    std::vector<std::string> arguments{"--records",  "500", "--duration", "5ms",
                                       "--warmup",   "0ms", "--rounds",   "1",
                                       "--workload", "A",   "--targets",  "lmdb,sqlite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  bench::DataDirectory directory_ = bench::DataDirectory::Create(testing::TempDir()).value();
  std::string out;
  std::string err;
};

TEST_F(BenchCommand, PrintsATableAndLeavesNothingBehind) {
  EXPECT_EQ(Run(Tiny({})), kExitDone);

  EXPECT_THAT(out, HasSubstr("Workload A, zipfian"));
  EXPECT_THAT(out, HasSubstr("sqlite"));
  EXPECT_THAT(err, HasSubstr("round 1 of 1"));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(BenchCommand, JsonGoesToStdoutInsteadOfTheTable) {
  EXPECT_EQ(Run(Tiny({"--json"})), kExitDone);

  const auto json = nlohmann::json::parse(out);
  EXPECT_EQ(json["settings"]["records"], "500");
  EXPECT_EQ(json["comparisons"][0]["targets"].size(), 2U);
}

TEST_F(BenchCommand, WritesFilesBesideTheTable) {
  const std::string json_path = directory_.Below("out.json");
  const std::string html_path = directory_.Below("out.html");

  EXPECT_EQ(Run(Tiny({"--json", json_path, "--html", html_path})), kExitDone);

  EXPECT_THAT(out, HasSubstr("Workload A"));
  EXPECT_TRUE(nlohmann::json::accept(ReadWholeFile(json_path, kFileBytesMax).value()));
  EXPECT_THAT(ReadWholeFile(html_path, kFileBytesMax).value(), HasSubstr("<svg"));
}

TEST_F(BenchCommand, WrongValuesAreAMatterOfUsage) {
  const std::vector<std::vector<std::string>> wrong{
      {"--workload", "Z"},    {"--targets", "redis"}, {"--distribution", "flat"},
      {"--duration", "soon"}, {"--warmup", "-1s"},    {"--scenario", "nonsense"},
      {"--records", "0"},     {"--threads", "0"},     {"--batch", "0"},
      {"--value-bytes", "0"}, {"--ack", "never"},     {"--nonsense"},
  };
  for (const auto& arguments : wrong) EXPECT_EQ(Run(arguments), kExitUsage) << arguments.front();
}

TEST_F(BenchCommand, SaysWhereItCannotWork) {
  EXPECT_EQ(Run({"--quick", "--data-dir", "/nonexistent"}), kExitUsage) << "given twice";

  std::filesystem::remove_all(directory_.path());
  EXPECT_EQ(Run(Tiny({})), kExitFailed);
  EXPECT_THAT(err, HasSubstr(directory_.path()));
}

TEST_F(BenchCommand, FailureIsJsonForThoseWhoReadJson) {
  EXPECT_EQ(Run({"--workload", "Z", "--json"}), kExitUsage);

  EXPECT_THAT(nlohmann::json::parse(out)["error"]["message"], HasSubstr("A to F"));
}

TEST_F(BenchCommand, AScenarioPrintsItsFiguresAndGoals) {
  EXPECT_EQ(Run({"--scenario", "reads", "--records", "500", "--rounds", "1", "--quick"}),
            kExitDone);

  EXPECT_THAT(out, HasSubstr("routed read, legacy over bare LMDB"));
  EXPECT_THAT(out, HasSubstr("goal >= 0.85"));
}

}  // namespace
}  // namespace switchback
