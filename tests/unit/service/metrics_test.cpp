#include "service/metrics.hpp"

#include <gtest/gtest.h>

#include <random>

#include "service/histogram.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, EveryValueIsInTheBucketThatHoldsIt) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t ns = random() >> (26 + random() % 38);
    const std::size_t bucket = HistogramSnapshot::BucketOf(ns);
    ASSERT_LT(ns, HistogramSnapshot::UpperBoundNs(bucket)) << ns;
    ASSERT_GE(ns, bucket > 0 ? HistogramSnapshot::UpperBoundNs(bucket - 1) : 0) << ns;
  }
  EXPECT_EQ(HistogramSnapshot::BucketOf(UINT64_MAX), HistogramSnapshot::kBucketCount - 1);
}

TEST(Histogram, BucketsAreAtMostAnEighthWide) {
  for (std::size_t bucket = 9; bucket < HistogramSnapshot::kBucketCount; ++bucket) {
    const auto low = static_cast<double>(HistogramSnapshot::UpperBoundNs(bucket - 1));
    const auto high = static_cast<double>(HistogramSnapshot::UpperBoundNs(bucket));
    EXPECT_LE(high / low, 1.1251) << bucket;
  }
}

TEST(Histogram, QuantilesAreUpperBounds) {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.Record(std::chrono::microseconds(i));
  histogram.Record(-5ns);
  HistogramSnapshot snapshot;
  histogram.AddTo(snapshot);

  EXPECT_EQ(snapshot.Count(), 1001u);
  const auto near = [](std::uint64_t ns, double expected) {
    return static_cast<double>(ns) >= expected * 0.99 && static_cast<double>(ns) <= expected * 1.13;
  };
  EXPECT_TRUE(near(snapshot.QuantileNs(0.5), 500e3)) << snapshot.QuantileNs(0.5);
  EXPECT_TRUE(near(snapshot.QuantileNs(0.99), 990e3)) << snapshot.QuantileNs(0.99);
  EXPECT_GE(snapshot.QuantileNs(1), 1000000u);
  EXPECT_EQ(HistogramSnapshot{}.QuantileNs(0.5), 0u);
}

TEST(Histogram, ADifferenceIsWhatCameInBetween) {
  Histogram histogram;
  histogram.Record(10us);
  HistogramSnapshot before, after;
  histogram.AddTo(before);
  histogram.Record(20us);
  histogram.Record(30us);
  histogram.AddTo(after);
  after -= before;
  EXPECT_EQ(after.Count(), 2u);
  EXPECT_EQ(after.total_ns, 50000u);
  after += before;
  EXPECT_EQ(after.Count(), 3u);
}

TEST(Metrics, ABlockThatIsGivenBackStaysInTheSum) {
  MetricsRegistry registry;
  for (int i = 0; i < 5; ++i) {
    const auto block = registry.NewBlock();
    MetricsBlock::Add(block->Of(Role::kUnified, Operation::kScan).errors, 2);
    block->Of(Role::kUnified, Operation::kScan).latency.Record(1us);
    MetricsBlock::Add(block->memtable_hits);
    MetricsBlock::Add(block->failovers, 3);
  }
  const auto live = registry.NewBlock();
  MetricsBlock::Add(live->memtable_hits);

  const MetricsSnapshot sum = registry.Snapshot();
  EXPECT_EQ(sum.Of(Role::kUnified, Operation::kScan).errors, 10u);
  EXPECT_EQ(sum.Of(Role::kUnified, Operation::kScan).latency.Count(), 5u);
  EXPECT_EQ(sum.Of(Role::kLegacy, Operation::kScan).errors, 0u);
  EXPECT_EQ(sum.memtable_hits, 6u);
  EXPECT_EQ(sum.failovers, 15u);
}

}  // namespace
}  // namespace switchback
