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
    MetricsBlock::Add(block->Of(nullptr, Role::kUnified, Operation::kScan).errors, 2);
    block->Of(nullptr, Role::kUnified, Operation::kScan).latency.Record(1us);
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

TEST(Metrics, CollectionsAreCountedEachOnItsOwnUpToALimit) {
  CollectionCatalog catalog;
  MetricsRegistry registry;
  const auto read = [&](const Collection& collection) {
    const auto block = registry.NewBlock();
    block->Of(&collection, Role::kLegacy, Operation::kGet).latency.Record(1us);
  };
  const Collection& first = **catalog.Intern("first");
  read(first);
  read(first);
  for (std::size_t i = 0; i < MetricsBlock::kCollectionsCounted + 5; ++i)
    read(**catalog.Intern("c" + std::to_string(i)));

  const auto all = registry.CollectionSnapshot(catalog);
  ASSERT_EQ(all.size(), MetricsBlock::kCollectionsCounted + 1);
  EXPECT_EQ(all.front().name, "first");
  EXPECT_EQ(all.front().Of(Role::kLegacy, Operation::kGet).latency.Count(), 2u);
  EXPECT_EQ(all.back().name, "");
  EXPECT_EQ(all.back().Of(Role::kLegacy, Operation::kGet).latency.Count(), 6u);
  EXPECT_EQ(registry.Snapshot().Of(Role::kLegacy, Operation::kGet).latency.Count(),
            MetricsBlock::kCollectionsCounted + 7);
}

TEST(Metrics, AReadThatIsUnderWayShows) {
  MetricsRegistry registry;
  const auto block = registry.NewBlock();
  const SteadyTime begun{5s};
  block->BeginRead(Role::kUnified, begun);
  EXPECT_EQ(registry.Snapshot().reads_under_way[Index(Role::kUnified)],
            std::vector<SteadyTime>{begun});
  EXPECT_TRUE(registry.Snapshot().reads_under_way[Index(Role::kLegacy)].empty());
  block->EndRead(Role::kUnified);
  EXPECT_TRUE(registry.Snapshot().reads_under_way[Index(Role::kUnified)].empty());
}

TEST(RecentErrors, KeepsTheNewestWithoutTheKeyItself) {
  CollectionCatalog catalog;
  MetricsRegistry registry;
  const auto block = registry.NewBlock();
  block->CountError(*catalog.Intern("users"), Role::kUnified, Operation::kGet, "secret",
                    Error{ErrorCode::kCorruption, std::string(10000, 'm')});
  block->CountError(nullptr, Role::kUnified, Operation::kApply, "",
                    Error{ErrorCode::kIo, "failed"});

  const auto errors = registry.recent_errors().List();
  ASSERT_GE(errors.size(), 1u) << "at most one a millisecond is kept";
  EXPECT_EQ(errors.front().collection, "users");
  EXPECT_EQ(errors.front().operation, "get");
  EXPECT_NE(errors.front().key_hash, 0u);
  EXPECT_EQ(errors.front().message.size(), RecentErrors::kMessageBytesMax);
  EXPECT_EQ(registry.recent_errors().CorruptionCount(Role::kUnified), 1u);
  EXPECT_EQ(registry.Snapshot().Of(Role::kUnified, Operation::kApply).errors, 1u);
}

}  // namespace
}  // namespace switchback
