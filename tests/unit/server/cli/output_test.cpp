#include "server/cli/output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "server/cli/progress.hpp"
#include "server/cli/status_table.hpp"
#include "server/http/status_json.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Output, FormatsNumbersForPeople) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(5ull << 30), "5.0 GiB");
  EXPECT_EQ(FormatBytes(5000ull << 40), "5000.0 TiB");
  EXPECT_EQ(FormatMicroseconds(12), "12 us");
  EXPECT_EQ(FormatMicroseconds(3400), "3.4 ms");
  EXPECT_EQ(FormatMicroseconds(5.6e6), "5.6 s");
  EXPECT_EQ(FormatSeconds(-1), "0 s");
  EXPECT_EQ(FormatSeconds(59.9), "59 s");
  EXPECT_EQ(FormatSeconds(200), "3 min 20 s");
  EXPECT_EQ(FormatSeconds(7500), "2 h 5 min");
  EXPECT_EQ(FormatSeconds(273600), "3 d 4 h");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatPercent(25), "25");
  EXPECT_EQ(FormatPercent(12.345), "12.345");
  EXPECT_EQ(FormatPercent(0.1 + 0.2), "0.3");
}

TEST(ProgressBar, FillsFromLeftToRight) {
  EXPECT_EQ(ProgressBar(0, "x", 4), "[>   ] 0.0 %  x");
  EXPECT_EQ(ProgressBar(50, "x", 4), "[==> ] 50.0 %  x");
  EXPECT_EQ(ProgressBar(100, "x", 4), "[====] 100.0 %  x");
  EXPECT_EQ(ProgressBar(200, "x", 4), "[====] 100.0 %  x");
}

TEST(Progress, RedrawsOneLineOnATerminal) {
  std::ostringstream out;
  {
    Progress progress(out, true);
    progress.Show(10, "a", {});
    progress.Show(20, "b", {});
  }

  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr("\r["));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(Progress, PrintsPlainLinesNowAndThenElsewhere) {
  std::ostringstream out;
  Progress progress(out, false);
  const SteadyTime start{};

  progress.Show(10, "a", start);
  progress.Show(20, "b", start + std::chrono::seconds(1));
  progress.Show(30, "c", start + kPlainProgressInterval);

  EXPECT_EQ(out.str(), "10.0 %  a\n30.0 %  c\n");
}

nlohmann::ordered_json StatusDocument() {
  ServiceStatus status;
  status.generation = "gen-1";
  status.stage = "shadow";
  status.routing.desired_percentage = 25;
  status.routing.is_refused = true;
  status.routing.reason = "unified is being filled";
  FollowerStatus& unified = status.followers[Index(Role::kUnified)];
  unified.state = FollowerState::kBackfilling;
  unified.engine = "sqlite";
  unified.lag_batches = 77;
  status.is_log_failed = true;
  status.log_error = "no space left";
  auto document = ServiceStatusJson(status);
  document["version"] = "0.1.0";
  document["data_dir"] = "/var/lib/app";
  return document;
}

TEST(StatusTable, SaysWhatIsAskedForWhatIsInEffectAndWhy) {
  const std::string table = StatusTable(StatusDocument());

  EXPECT_THAT(table, HasSubstr("stage       shadow"));
  EXPECT_THAT(table, HasSubstr("asks for 25 % on unified, 0 % in effect: REFUSED: unified is being "
                               "filled"));
}

TEST(StatusTable, ShowsBothStoresAndAFailedLog) {
  const std::string table = StatusTable(StatusDocument());

  EXPECT_THAT(table, testing::ContainsRegex("unified +backfilling +sqlite +0 +0 +77"));
  EXPECT_THAT(table, testing::ContainsRegex("legacy +detached"));
  EXPECT_THAT(table, HasSubstr("FAILED, writes are refused: no space left"));
}

TEST(StatusTable, CopesWithAnOlderServer) {
  const std::string table = StatusTable(nlohmann::ordered_json::object());

  EXPECT_THAT(table, HasSubstr("stage"));
  EXPECT_THAT(table, Not(HasSubstr("REFUSED")));
}

TEST(StatusJson, NamesEveryLatencyInMicroseconds) {
  HistogramSnapshot histogram;
  histogram.counts[HistogramSnapshot::BucketOf(1000)] = 2;
  histogram.total_ns = 2000;

  const auto json = LatencyJson(histogram);

  EXPECT_EQ(json["count"], 2);
  EXPECT_EQ(json["mean_us"], 1.0);
  EXPECT_NEAR(json["p999_us"].get<double>(), 1.0, 0.13);
  EXPECT_EQ(LatencyJson({})["mean_us"], 0);
}

TEST(StatusJson, AnUnknownEtaIsNull) {
  MigrationStatus status;
  status.state = "running";

  EXPECT_TRUE(MigrationJson(status)["eta_seconds"].is_null());
  status.eta_seconds = 1.5;
  EXPECT_EQ(MigrationJson(status)["eta_seconds"], 1.5);
}

}  // namespace
}  // namespace switchback
