#include "server/http/prometheus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace switchback {
namespace {

using testing::HasSubstr;

TEST(PrometheusText, WritesHelpTypeAndSamples) {
  PrometheusText text;

  text.Begin("things_total", MetricType::kCounter, "Things.");
  text.Sample(std::uint64_t{3}, {{"role", "legacy"}, {"operation", "get"}});
  text.Sample(0.25);

  EXPECT_EQ(text.Take(),
            "# HELP things_total Things.\n"
            "# TYPE things_total counter\n"
            "things_total{role=\"legacy\",operation=\"get\"} 3\n"
            "things_total 0.25\n");
}

TEST(PrometheusText, EscapesLabels) {
  PrometheusText text;

  text.Begin("x", MetricType::kGauge, "X.");
  text.Sample(std::uint64_t{1}, {{"path", "a\"b\\c\nd"}});

  EXPECT_THAT(text.Take(), HasSubstr("x{path=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

HistogramSnapshot SnapshotOf(std::initializer_list<std::uint64_t> latencies_ns) {
  Histogram histogram;
  for (const std::uint64_t ns : latencies_ns) histogram.Record(std::chrono::nanoseconds(ns));
  HistogramSnapshot snapshot;
  histogram.AddTo(snapshot);
  return snapshot;
}

// The cumulative counts by bound, as a scraper reads them.
std::vector<std::pair<double, std::uint64_t>> Buckets(const std::string& text) {
  std::vector<std::pair<double, std::uint64_t>> buckets;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto le = line.find("le=\"");
    if (le == std::string::npos || line.find("+Inf") != std::string::npos) continue;
    buckets.emplace_back(std::stod(line.substr(le + 4)),
                         std::stoull(line.substr(line.rfind(' ') + 1)));
  }
  return buckets;
}

TEST(PrometheusText, HistogramBucketsAreCumulativeAndOrdered) {
  PrometheusText text;

  text.Begin("t_seconds", MetricType::kHistogram, "T.");
  text.Sample(SnapshotOf({100, 1'000, 1'000'000, 1'000'000, 2'000'000'000}));
  const std::string page = text.Take();
  const auto buckets = Buckets(page);

  ASSERT_GT(buckets.size(), 40u);
  for (std::size_t i = 1; i < buckets.size(); ++i) {
    EXPECT_GT(buckets[i].first, buckets[i - 1].first);
    EXPECT_GE(buckets[i].second, buckets[i - 1].second);
    // Narrow enough to derive quantiles from.
    EXPECT_LE(buckets[i].first / buckets[i - 1].first, 1.51);
  }
  EXPECT_THAT(page, HasSubstr("t_seconds_bucket{le=\"+Inf\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("t_seconds_count 5\n"));
  EXPECT_THAT(page, HasSubstr("t_seconds_sum 2.0020011\n"));
}

TEST(PrometheusText, HistogramCountsAValueInTheBucketsAboveIt) {
  PrometheusText text;

  text.Begin("t_seconds", MetricType::kHistogram, "T.");
  text.Sample(SnapshotOf({1'000'000}));

  for (const auto& [bound, count] : Buckets(text.Take())) {
    if (bound > 0.0009 && bound < 0.0012) continue;  // around the value itself
    EXPECT_EQ(count, bound < 0.001 ? 0u : 1u) << bound;
  }
}

TEST(PrometheusText, ValuesBeyondTheLastBoundAreOnlyInInfinity) {
  PrometheusText text;

  text.Begin("t_seconds", MetricType::kHistogram, "T.");
  text.Sample(SnapshotOf({200'000'000'000}));
  const std::string page = text.Take();

  EXPECT_EQ(Buckets(page).back().second, 0u);
  EXPECT_THAT(page, HasSubstr("t_seconds_bucket{le=\"+Inf\"} 1\n"));
}

}  // namespace
}  // namespace switchback
