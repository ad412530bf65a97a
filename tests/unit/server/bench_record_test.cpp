#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "server/bench/record.hpp"
#include "server/bench/record_counter.hpp"

namespace switchback::bench {
namespace {

TEST(BenchRecord, KeysAreDistinctAndPinned) {
  std::set<std::string> keys;

  for (std::uint64_t index = 0; index < 20'000; ++index)
    keys.insert(std::string(View(KeyOf(index))));

  EXPECT_EQ(keys.size(), 20'000U);
  // A changed key scheme would make old and new figures incomparable.
  EXPECT_EQ(View(KeyOf(0)), "user000000000000");
  EXPECT_EQ(View(KeyOf(1)).substr(0, 4), "user");
  EXPECT_EQ(View(KeyOf(1)).size(), kKeyBytes);
}

TEST(BenchRecord, NeighbouringIndexesLieFarApart) {
  std::set<std::string> prefixes;

  for (std::uint64_t index = 0; index < 256; ++index)
    prefixes.insert(std::string(View(KeyOf(index))).substr(0, 6));

  EXPECT_GT(prefixes.size(), 128U);  // of 256 possible
}

TEST(BenchRecord, KeyOrderIsBytewiseAndComplete) {
  const auto indexes = IndexesInKeyOrder(5000);

  const auto is_before = [](std::uint64_t left, std::uint64_t right) {
    return View(KeyOf(left)) < View(KeyOf(right));
  };
  EXPECT_TRUE(std::is_sorted(indexes.begin(), indexes.end(), is_before));
  EXPECT_EQ(std::set<std::uint64_t>(indexes.begin(), indexes.end()).size(), 5000U);
}

TEST(BenchRecord, ValuesRepeatForAVersionAndChangeWithIt) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 100U, 1024U}) {
    std::string first(size, 'x');
    std::string again(size, 'y');
    std::string updated(size, 'z');

    FillValue(first, 42, 0);
    FillValue(again, 42, 0);
    FillValue(updated, 42, 1);

    EXPECT_EQ(first, again);
    if (size >= 7) {
      EXPECT_NE(first, updated);
    }
  }
}

TEST(BenchRecordCounter, ShowsOnlyWhatIsStoredWithoutGaps) {
  RecordCounter counter(10);

  const std::uint64_t first = counter.Take();
  const std::uint64_t second = counter.Take();
  EXPECT_EQ(first, 10U);
  EXPECT_EQ(second, 11U);
  EXPECT_EQ(counter.Visible(), 10U);

  counter.Stored(second);
  EXPECT_EQ(counter.Visible(), 10U) << "the first one is still being written";

  counter.Stored(first);
  EXPECT_EQ(counter.Visible(), 12U);
}

}  // namespace
}  // namespace switchback::bench
