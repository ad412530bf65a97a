// Roles of the service as targets, and everything that is built on them, on few records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/failpoint.hpp"
#include "server/bench/async_writers.hpp"
#include "server/bench/comparison.hpp"
#include "server/bench/data_directory.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/log_probe.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/service_target.hpp"

namespace switchback::bench {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

constexpr std::uint64_t kRecords = 2000;

class SilentProgress : public Progress {
 public:
  Status Say(const std::string& line) override {
    lines.push_back(line);
    if (lines.size() > lines_max) return Fail(ErrorCode::kCancelled, "stopped");
    return {};
  }
  void End() override {}
  std::vector<std::string> lines;
  std::size_t lines_max = SIZE_MAX;
};

class BenchService : public testing::Test {
 protected:
  std::unique_ptr<ServiceHost> OpenHost() {
    auto host = ServiceHost::Open(
        {.directory = directory_.path(), .record_count = kRecords, .value_bytes = 20});
    EXPECT_TRUE(host) << host.error().message;
    return std::move(*host);
  }

  BenchOptions SmallOptions(const std::string& targets) {
    BenchOptions options;
    options.workloads = ParseWorkloads("A,D").value();
    options.targets = ParseTargets(targets).value();
    options.record_count = kRecords;
    options.warmup = milliseconds(1);
    options.duration = milliseconds(20);
    options.rounds = 2;
    options.data_directory = directory_.path();
    return options;
  }

  ScenarioOptions SmallScenario() {
    ScenarioOptions options;
    options.record_count = kRecords;
    options.value_bytes = 20;
    options.duration = milliseconds(50);
    options.rounds = 1;
    options.is_quick = true;
    options.data_directory = directory_.path();
    return options;
  }

  static double FigureOf(const Report& report, const std::string& name) {
    const auto found = std::find_if(report.figures.begin(), report.figures.end(),
                                    [&](const Figure& figure) { return figure.name == name; });
    EXPECT_NE(found, report.figures.end()) << name;
    return found == report.figures.end() ? -1 : found->value;
  }

  DataDirectory directory_ = DataDirectory::Create(testing::TempDir()).value();
  SilentProgress progress_;
};

std::string ValueOf(std::uint64_t index, std::uint64_t version) {
  std::string value(20, '\0');
  FillValue(value, index, version);
  return value;
}

TEST_F(BenchService, EveryRoleAnswersWithTheLoadedRecords) {
  const auto host = OpenHost();
  RecordCounter records(kRecords);

  for (const double percentage : {0.0, 100.0, 25.0}) {
    ServiceTarget target(*host, percentage, records);
    ASSERT_TRUE(target.Prepare());
    const auto client = target.NewClient().value();
    for (std::uint64_t index = 0; index < kRecords; index += 17) {
      const auto value = client->Read(View(KeyOf(index)));
      ASSERT_TRUE(value) << value.error().message;
      ASSERT_EQ(*value, ValueOf(index, 0)) << target.name();
    }
  }
}

TEST_F(BenchService, PrepareRoutesReadsToTheNamedRole) {
  const auto host = OpenHost();
  RecordCounter records(kRecords);
  const auto answers_of = [&](Role role) {
    return host->service().GetMetrics().Of(role, Operation::kGet).latency.Count();
  };

  for (const auto& [percentage, role] :
       {std::pair(100.0, Role::kUnified), std::pair(0.0, Role::kLegacy)}) {
    ServiceTarget target(*host, percentage, records);
    ASSERT_TRUE(target.Prepare());
    const std::uint64_t before = answers_of(role);
    ASSERT_TRUE(target.NewClient().value()->Read(View(KeyOf(1))));
    EXPECT_EQ(answers_of(role), before + 1) << target.name();
  }
}

TEST_F(BenchService, AClientSeesItsOwnWritesWithinATurn) {
  const auto host = OpenHost();
  RecordCounter records(kRecords);
  ServiceTarget target(*host, 50, records);
  ASSERT_TRUE(target.Prepare());
  const auto client = target.NewClient().value();
  const Key one = KeyOf(1);
  const Key two = KeyOf(2);
  ASSERT_TRUE(client->Read(View(one)));

  const std::vector<RecordView> batch{{View(one), "first"}, {View(two), "second"}};
  ASSERT_TRUE(client->Write(batch));
  ASSERT_TRUE(client->ReadModifyWrite({View(two), "third"}));

  EXPECT_EQ(client->Read(View(one)).value(), "first");
  EXPECT_EQ(client->Read(View(two)).value(), "third");
  EXPECT_EQ(client->Scan("", 10).value(), 10U);
  ASSERT_TRUE(target.Settle());
}

TEST_F(BenchService, ReopenFindsTheSameRecords) {
  OpenHost().reset();

  const auto host = ServiceHost::Reopen({.directory = directory_.path()});

  ASSERT_TRUE(host) << host.error().message;
  const auto session = (*host)->service().NewSession();
  EXPECT_EQ(session->Get((*host)->collection(), View(KeyOf(3))).value(), ValueOf(3, 0));
}

TEST_F(BenchService, AsyncWritersCountEveryWriteThatTheServiceTook) {
  const auto host = OpenHost();
  const std::uint64_t before = host->service().GetStatus().writes;
  AsyncPlan plan;
  plan.writers = 8;
  plan.record_count = kRecords;
  plan.value_bytes = 20;

  const RunResult result = RunAsyncWrites(*host, plan, milliseconds(0), milliseconds(50));

  EXPECT_GT(result.operations, 0U);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
  // A write that began within the time may be answered after it, and still counts.
  EXPECT_LE(result.operations, host->service().GetStatus().writes - before);
  EXPECT_GE(result.operations + plan.writers, host->service().GetStatus().writes - before);
}

TEST_F(BenchService, PacedAsyncWritersKeepToTheRate) {
  const auto host = OpenHost();
  AsyncPlan plan;
  plan.writers = 1000;
  plan.record_count = kRecords;
  plan.value_bytes = 20;
  plan.rate = 2000;

  const RunResult result = RunAsyncWrites(*host, plan, milliseconds(0), milliseconds(100));

  // Every write that was due is counted, however late it was answered: 200 in a tenth of a second.
  EXPECT_NEAR(static_cast<double>(result.operations), 200, 2);
  EXPECT_EQ(result.errors, 0U) << result.first_error;
}

TEST_F(BenchService, WritesThatFailAreCountedWithTheirReason) {
  const auto host = OpenHost();
  RecordCounter records(kRecords);
  ServiceTarget target(*host, 0, records);
  AsyncPlan async;
  async.record_count = kRecords;
  LoadPlan blocking;
  blocking.workload = FindWorkload('W');
  ASSERT_TRUE(SetFailpoints("log.append=nospace"));

  const RunResult from_one = RunAsyncWrites(*host, async, milliseconds(0), milliseconds(30));
  const auto from_threads = RunLoad(target, blocking, milliseconds(0), milliseconds(30));
  ASSERT_TRUE(SetFailpoints(""));

  ASSERT_TRUE(from_threads);
  for (const RunResult& result : {from_one, *from_threads}) {
    EXPECT_GT(result.errors, 0U);
    EXPECT_EQ(result.errors, result.operations);
    EXPECT_FALSE(result.first_error.empty());
  }
}

TEST_F(BenchService, OnlyWhatTheTargetsNeedIsLoaded) {
  const auto targets = TargetSet::Open(SmallOptions("sqlite"), progress_);

  ASSERT_TRUE(targets) << targets.error().message;
  EXPECT_EQ((*targets)->host(), nullptr);
  EXPECT_EQ((*targets)->Find("sqlite").name(), "sqlite");
  EXPECT_FALSE(std::filesystem::exists(directory_.Below("bare-lmdb")));
  EXPECT_FALSE(std::filesystem::exists(directory_.Below("data")));
}

TEST_F(BenchService, PercentagesShareTheRecordsOfOneService) {
  const auto targets = TargetSet::Open(SmallOptions("legacy,25%,unified"), progress_);

  ASSERT_TRUE(targets) << targets.error().message;
  EXPECT_EQ(&(*targets)->Find("legacy").records(), &(*targets)->Find("unified").records());
  EXPECT_EQ((*targets)->Find("25%").name(), "25%");
  EXPECT_NE((*targets)->host(), nullptr);
}

TEST_F(BenchService, ComparisonRunsEveryTargetInEveryRound) {
  const auto report = RunComparison(SmallOptions("legacy,unified,25%,lmdb,sqlite"), progress_);

  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->comparisons.size(), 2U);
  for (const Comparison& comparison : report->comparisons) {
    ASSERT_EQ(comparison.targets.size(), 5U);
    for (const TargetFigures& figures : comparison.targets) {
      EXPECT_EQ(figures.rounds.size(), 2U);
      EXPECT_GT(figures.operations_per_second, 0) << figures.target;
      EXPECT_EQ(figures.errors, 0U) << figures.target << ": " << figures.first_error;
      EXPECT_EQ(figures.absent, 0U) << figures.target;
      EXPECT_EQ(figures.ratio_to.size(), 2U);
    }
  }
  EXPECT_EQ(report->comparisons[1].distribution, "latest");
  EXPECT_FALSE(RenderText(*report).empty());
}

TEST_F(BenchService, RoundsAreInterleaved) {
  BenchOptions options = SmallOptions("lmdb,sqlite");
  options.workloads = ParseWorkloads("C").value();

  ASSERT_TRUE(RunComparison(options, progress_));

  std::erase_if(progress_.lines,
                [](const std::string& line) { return line.find("round") == std::string::npos; });
  EXPECT_THAT(progress_.lines,
              ElementsAre(HasSubstr("round 1 of 2: lmdb"), HasSubstr("round 1 of 2: sqlite"),
                          HasSubstr("round 2 of 2: lmdb"), HasSubstr("round 2 of 2: sqlite")));
}

TEST_F(BenchService, StopsWhenAsked) {
  progress_.lines_max = 3;

  const auto report = RunComparison(SmallOptions("lmdb"), progress_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
}

TEST_F(BenchService, ReadsScenarioGivesBothRatios) {
  const auto report = RunScenarios({FindScenario("reads")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(FigureOf(*report, "routed read, legacy over bare LMDB"), 0);
  EXPECT_GT(FigureOf(*report, "routed read, unified over bare SQLite"), 0);
}

TEST_F(BenchService, WritesScenarioLosesNothing) {
  const auto report = RunScenarios({FindScenario("writes")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(FigureOf(*report, "16 threads: failed"), 0);
  EXPECT_EQ(FigureOf(*report, "16 under way, one thread: failed"), 0);
  EXPECT_GT(FigureOf(*report, "16 threads: writes"), 0);
}

TEST_F(BenchService, SustainedScenarioMeasuresBothSpeeds) {
  const auto report = RunScenarios({FindScenario("sustained")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(FigureOf(*report, "sustained: failed"), 0);
  EXPECT_GT(FigureOf(*report, "at half the sustained rate: p99"), 0);
}

TEST_F(BenchService, BackfillScenarioComparesWithTheBestLoop) {
  const auto report = RunScenarios({FindScenario("backfill")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(FigureOf(*report, "backfill over the best plain loop"), 0);
}

TEST_F(BenchService, FlipScenarioSeesEveryFlip) {
  const auto report = RunScenarios({FindScenario("flip")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(FigureOf(*report, "flip: the slowest of them"), 0);
  EXPECT_EQ(FigureOf(*report, "failed requests around flips"), 0);
}

TEST_F(BenchService, RecoveryScenarioReplaysAFullMemtable) {
  const auto report = RunScenarios({FindScenario("recovery")}, SmallScenario(), progress_);

  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(FigureOf(*report, "recovery: records to replay"), 0);
  EXPECT_GT(FigureOf(*report, "recovery: Open() until ready"), 0);
}

TEST_F(BenchService, ScenariosLeaveTheDirectoryEmpty) {
  ASSERT_TRUE(RunScenarios({FindScenario("reads")}, SmallScenario(), progress_));

  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST(BenchScenario, NamesAreFound) {
  for (const Scenario& scenario : AllScenarios()) EXPECT_EQ(FindScenario(scenario.name), &scenario);
  EXPECT_EQ(FindScenario("nonsense"), nullptr);
}

TEST(BenchLogProbe, CountsItsSyncs) {
  const auto directory = DataDirectory::Create(testing::TempDir()).value();
  auto probe = LogProbe::Create(directory.Below("probe"));
  ASSERT_TRUE(probe) << probe.error().message;

  const auto latency = probe->Run(2048, milliseconds(20));

  ASSERT_TRUE(latency);
  EXPECT_GT(latency->Count(), 0U);
  EXPECT_GT(latency->QuantileNs(0.5), 0U);
  EXPECT_FALSE(LogProbe::Create(directory.Below("probe"))) << "it must not overwrite a file";
}

}  // namespace
}  // namespace switchback::bench
