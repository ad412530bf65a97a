#include "server/http/metrics_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace switchback {
namespace {

using testing::HasSubstr;

MetricsInput Input() {
  MetricsInput input;
  input.status.stage = "live";
  input.status.followers[Index(Role::kLegacy)].state = FollowerState::kInSync;
  FollowerStatus& unified = input.status.followers[Index(Role::kUnified)];
  unified.state = FollowerState::kCatchingUp;
  unified.lag_batches = 7;
  unified.lag = std::chrono::milliseconds(1500);
  unified.store.wal_bytes = 4096;
  input.status.routing.desired_percentage = 25;
  input.status.backpressure_waits = 3;
  input.counters.resp.connections = 2;
  input.counters.http.requests = 9;
  input.counters.flag_reload_failures = 4;
  return input;
}

TEST(MetricsPage, ShowsLagInBatchesAndSeconds) {
  const std::string page = RenderMetrics(Input());

  EXPECT_THAT(page, HasSubstr("switchback_follower_lag_batches{role=\"unified\"} 7\n"));
  EXPECT_THAT(page, HasSubstr("switchback_follower_lag_seconds{role=\"unified\"} 1.5\n"));
  EXPECT_THAT(page, HasSubstr("switchback_store_wal_bytes{role=\"unified\"} 4096\n"));
}

TEST(MetricsPage, ShowsExactlyOneStatePerFollowerAndOneStage) {
  const std::string page = RenderMetrics(Input());

  EXPECT_THAT(page,
              HasSubstr("switchback_follower_state{role=\"unified\",state=\"catching-up\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("switchback_follower_state{role=\"unified\",state=\"in-sync\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("switchback_stage{stage=\"live\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("switchback_stage{stage=\"off\"} 0\n"));
}

TEST(MetricsPage, ShowsSharesAsRatios) {
  const std::string page = RenderMetrics(Input());

  EXPECT_THAT(page, HasSubstr("switchback_flag_desired_ratio 0.25\n"));
  EXPECT_THAT(page, HasSubstr("switchback_flag_effective_ratio 0\n"));
}

TEST(MetricsPage, ShowsBothDoorsAndReloadFailures) {
  const std::string page = RenderMetrics(Input());

  EXPECT_THAT(page, HasSubstr("switchback_connections{protocol=\"resp\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("switchback_requests_total{protocol=\"http\"} 9\n"));
  EXPECT_THAT(page, HasSubstr("switchback_flag_reload_failures_total 4\n"));
  EXPECT_THAT(page, HasSubstr("switchback_backpressure_waits_total 3\n"));
  EXPECT_THAT(page, HasSubstr("switchback_build_info{version="));
}

TEST(MetricsPage, CountsOperationsAndErrorsOfEachRole) {
  MetricsInput input = Input();
  auto& get = input.metrics.operations[Index(Role::kUnified)][0];
  get.errors = 1;
  get.latency.counts[HistogramSnapshot::BucketOf(5000)] = 6;
  get.latency.total_ns = 30000;

  const std::string page = RenderMetrics(input);

  const std::string labels = "{role=\"unified\",operation=\"get\"}";
  EXPECT_THAT(page, HasSubstr("switchback_operations_total" + labels + " 6\n"));
  EXPECT_THAT(page, HasSubstr("switchback_operation_errors_total" + labels + " 1\n"));
  EXPECT_THAT(page, HasSubstr("switchback_operation_duration_seconds_sum" + labels + " 3e-05\n"));
}

// What a scraper rejects: a name twice, samples away from their TYPE, a sample twice.
TEST(MetricsPage, IsWellFormed) {
  std::istringstream lines(RenderMetrics(Input()));
  std::string name;
  std::string type;
  std::set<std::string> names, samples;

  for (std::string line; std::getline(lines, line);) {
    ASSERT_FALSE(line.empty());
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      words >> name >> type;
      EXPECT_TRUE(names.insert(name).second) << name << " is there twice";
      EXPECT_TRUE(name.starts_with("switchback_") || name.starts_with("process_") ||
                  name == "target_info")
          << name;
      EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
      continue;
    }
    const std::string sample = line.substr(0, line.rfind(' '));
    EXPECT_TRUE(samples.insert(sample).second) << sample << " is there twice";
    std::string base = sample.substr(0, sample.find('{'));
    if (type == "histogram") base = base.substr(0, base.rfind('_'));
    EXPECT_EQ(base, name) << line;
  }
  EXPECT_GT(names.size(), 40u);
}

TEST(ProcessStats, SeesThisProcess) {
  const ProcessStats stats = ReadProcessStats();

  EXPECT_GT(stats.resident_bytes, 1u << 20);
  EXPECT_GE(stats.open_fds, 3u);
  EXPECT_GE(stats.max_fds, stats.open_fds);
  EXPECT_GT(stats.start_time_seconds, 1.6e9);
}

TEST(MetricsPage, SaysHowAMigrationStands) {
  MetricsInput input = Input();
  input.migration.state = "running";
  input.migration.records_done = 5;
  input.migration.pace = 0.25;

  const std::string page = RenderMetrics(input);

  EXPECT_THAT(page, HasSubstr("switchback_migration_state{state=\"running\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("switchback_migration_state{state=\"locked\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("switchback_migration_records 5\n"));
  EXPECT_THAT(page, HasSubstr("switchback_migration_pace_ratio 0.25\n"));
}

}  // namespace
}  // namespace switchback
