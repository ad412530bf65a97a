#include <gtest/gtest.h>

#include <array>

#include "server/bench/workload.hpp"

namespace switchback::bench {
namespace {

TEST(BenchWorkload, OperationsComeInTheSharesOfYcsb) {
  constexpr int kDraws = 100'000;
  for (const char letter : {'A', 'B', 'C', 'D', 'E', 'F', 'W'}) {
    const Workload* workload = FindWorkload(letter);
    ASSERT_NE(workload, nullptr);
    Random random(7);
    std::array<int, kOperationKindCount> counts{};

    for (int draw = 0; draw < kDraws; ++draw)
      ++counts[static_cast<std::size_t>(workload->Choose(random))];

    for (std::size_t kind = 0; kind < kOperationKindCount; ++kind)
      EXPECT_NEAR(100.0 * counts[kind] / kDraws, workload->percent[kind], 0.6) << letter << kind;
  }
}

TEST(BenchWorkload, OnlyDReadsTheLatest) {
  EXPECT_EQ(FindWorkload('D')->DistributionFor(Distribution::kUniform), Distribution::kLatest);
  EXPECT_EQ(FindWorkload('A')->DistributionFor(Distribution::kUniform), Distribution::kUniform);
}

TEST(BenchWorkload, KnowsWhichOnesWrite) {
  EXPECT_FALSE(FindWorkload('c')->has_writes());
  for (const char letter : {'A', 'B', 'D', 'E', 'F', 'W'})
    EXPECT_TRUE(FindWorkload(letter)->has_writes()) << letter;
}

TEST(BenchWorkload, ParsesListsInTheirOrder) {
  const auto listed = ParseWorkloads("f,A");
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ(listed->at(0)->letter, 'F');
  EXPECT_EQ(listed->at(1)->letter, 'A');
  EXPECT_EQ(ParseWorkloads("all")->size(), 6U);
}

TEST(BenchWorkload, RefusesUnknownAndEmptyLists) {
  EXPECT_EQ(ParseWorkloads("A,G").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ParseWorkloads(",").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace switchback::bench
