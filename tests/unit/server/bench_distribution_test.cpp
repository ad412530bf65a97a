#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "server/bench/key_chooser.hpp"
#include "server/bench/random.hpp"
#include "server/bench/zipfian.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kSeed = 20261121;

std::vector<std::uint64_t> CountChoices(KeyChooser& chooser, std::uint64_t records, int draws) {
  std::vector<std::uint64_t> counts(records);
  for (int draw = 0; draw < draws; ++draw) ++counts.at(chooser.Next(records));
  return counts;
}

TEST(BenchRandom, SameSeedGivesTheSameNumbers) {
  Random first(kSeed);
  Random second(kSeed);
  Random other(kSeed + 1);

  for (int draw = 0; draw < 100; ++draw) EXPECT_EQ(first.Next(), second.Next());
  EXPECT_NE(first.Next(), other.Next());
}

TEST(BenchRandom, BelowReachesEveryValueAndNoOther) {
  Random random(kSeed);
  std::set<std::uint64_t> seen;

  for (int draw = 0; draw < 1000; ++draw) seen.insert(random.Below(7));

  EXPECT_EQ(seen, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(BenchRandom, UnitIsSpreadOverTheHalfOpenInterval) {
  Random random(kSeed);
  double sum = 0;

  for (int draw = 0; draw < 100'000; ++draw) {
    const double unit = random.Unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    sum += unit;
  }

  EXPECT_NEAR(sum / 100'000, 0.5, 0.01);
}

TEST(BenchZipfian, ZetaReachesYcsbsConstant) {
  // YCSB gives 26.46902820178302 for 10^10 ranks. The tail above 10^6 is an integral to within
  // a billionth, so the sum up to 10^6 can be checked against it.
  const auto integral = [](double rank) {
    return std::pow(rank, 1 - kZipfianConstant) / (1 - kZipfianConstant);
  };

  const double zeta = Zipfian(1'000'000).zeta() + integral(1e10) - integral(1e6);

  EXPECT_NEAR(zeta, 26.46902820178302, 1e-5);
}

TEST(BenchZipfian, RanksAreAsPopularAsTheLawSays) {
  constexpr int kDraws = 400'000;
  const Zipfian zipfian(1000);
  Random random(kSeed);
  std::vector<double> counts(1000);

  for (int draw = 0; draw < kDraws; ++draw) ++counts.at(zipfian.Next(random));

  // The first two ranks are exact in Gray's method, the rest an approximation.
  for (const std::size_t rank : {0U, 1U}) {
    const double expected =
        kDraws * std::pow(static_cast<double>(rank + 1), -kZipfianConstant) / zipfian.zeta();
    EXPECT_NEAR(counts[rank] / expected, 1.0, 0.05) << "rank " << rank;
  }
  double first_fifth = 0;
  for (std::size_t rank = 0; rank < 200; ++rank) first_fifth += counts[rank];
  EXPECT_GT(first_fifth / kDraws, 0.7);
}

TEST(BenchZipfian, GrowingEqualsStartingLarge) {
  Zipfian grown(10);
  grown.GrowTo(500);
  const Zipfian large(500);
  Random left(kSeed);
  Random right(kSeed);

  EXPECT_NEAR(grown.zeta(), large.zeta(), 1e-9);
  for (int draw = 0; draw < 1000; ++draw) EXPECT_EQ(grown.Next(left), large.Next(right));
}

TEST(BenchZipfian, TinyCountsStayInRange) {
  for (const std::uint64_t count : {1U, 2U, 3U}) {
    const Zipfian zipfian(count);
    Random random(kSeed);
    for (int draw = 0; draw < 1000; ++draw) ASSERT_LT(zipfian.Next(random), count);
  }
}

TEST(BenchKeyChooser, SameSeedChoosesTheSameKeysInEveryDistribution) {
  for (const Distribution distribution :
       {Distribution::kUniform, Distribution::kZipfian, Distribution::kLatest}) {
    const auto first = NewKeyChooser(distribution, 1000, kSeed);
    const auto second = NewKeyChooser(distribution, 1000, kSeed);
    for (int draw = 0; draw < 500; ++draw) {
      const std::uint64_t index = first->Next(1000);
      ASSERT_LT(index, 1000U);
      ASSERT_EQ(index, second->Next(1000)) << DistributionName(distribution);
    }
  }
}

TEST(BenchKeyChooser, UniformTouchesAllRecordsAlike) {
  const auto chooser = NewKeyChooser(Distribution::kUniform, 100, kSeed);

  const auto counts = CountChoices(*chooser, 100, 100'000);

  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 800U);
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 1200U);
}

TEST(BenchKeyChooser, ScrambledZipfianHasHotRecordsAwayFromTheStart) {
  const auto chooser = NewKeyChooser(Distribution::kZipfian, 10'000, kSeed);

  const auto counts = CountChoices(*chooser, 10'000, 200'000);

  const auto hottest = std::max_element(counts.begin(), counts.end());
  EXPECT_GT(*hottest, 200'000U / 50);  // about 1 / 26.5 of the draws
  EXPECT_NE(hottest - counts.begin(), 0);
}

TEST(BenchKeyChooser, LatestPrefersTheNewestAndFollowsGrowth) {
  const auto chooser = NewKeyChooser(Distribution::kLatest, 1000, kSeed);

  const auto before = CountChoices(*chooser, 1000, 20'000);
  const auto after = CountChoices(*chooser, 1100, 20'000);

  EXPECT_EQ(std::max_element(before.begin(), before.end()) - before.begin(), 999);
  EXPECT_EQ(std::max_element(after.begin(), after.end()) - after.begin(), 1099);
}

TEST(BenchKeyChooser, NamesParseBack) {
  for (const Distribution distribution :
       {Distribution::kUniform, Distribution::kZipfian, Distribution::kLatest})
    EXPECT_EQ(ParseDistribution(DistributionName(distribution)).value(), distribution);
  EXPECT_FALSE(ParseDistribution("normal"));
}

}  // namespace
}  // namespace switchback::bench
