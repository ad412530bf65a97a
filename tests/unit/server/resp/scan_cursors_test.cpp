#include "server/commands/scan_cursors.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

TEST(ScanCursors, RemembersPositions) {
  ScanCursors cursors;

  const std::uint64_t first = cursors.Advance(0, "a");
  const std::uint64_t other = cursors.Advance(0, "b");

  EXPECT_EQ(cursors.Find(first), "a");
  EXPECT_EQ(cursors.Find(other), "b");
  EXPECT_EQ(cursors.Find(0), std::nullopt);
  EXPECT_EQ(cursors.Find(first + 1), std::nullopt);
}

TEST(ScanCursors, NumbersFitIntoJavaScript) {
  ScanCursors cursors;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t cursor = cursors.Advance(0, "a");
    EXPECT_GT(cursor, 0u);
    EXPECT_LT(cursor, std::uint64_t{1} << 53);
  }
}

TEST(ScanCursors, AnotherServersCursorsAreUnknown) {
  ScanCursors before(100, 100, 1);
  ScanCursors after(100, 100, 2);
  const std::uint64_t cursor = before.Advance(0, "a");
  for (int i = 0; i < 50; ++i) after.Advance(0, "b");

  EXPECT_EQ(after.Find(cursor), std::nullopt);
}

TEST(ScanCursors, TheScanThatHasNotMovedForTheLongestGoesFirst) {
  ScanCursors cursors(2, 2);
  const std::uint64_t a = cursors.Advance(0, "a");
  const std::uint64_t b = cursors.Advance(0, "b");
  ASSERT_EQ(cursors.Find(a), "a");

  const std::uint64_t c = cursors.Advance(0, "c");

  EXPECT_EQ(cursors.Find(b), std::nullopt);
  EXPECT_EQ(cursors.Find(a), "a");
  EXPECT_EQ(cursors.Find(c), "c");
}

TEST(ScanCursors, AFastScanDoesNotPushOutASlowOne) {
  ScanCursors cursors(10, 10);
  const std::uint64_t slow = cursors.Advance(0, "slow");

  std::uint64_t fast = 0;
  for (int i = 0; i < 10000; ++i) fast = cursors.Advance(fast, std::to_string(i));

  EXPECT_EQ(cursors.Find(slow), "slow");
  EXPECT_EQ(cursors.Find(fast), "9999");
}

TEST(ScanCursors, ALeftPositionCanBeAskedForAgainForAWhile) {
  ScanCursors cursors(10, 2);
  const std::uint64_t a = cursors.Advance(0, "a");
  const std::uint64_t b = cursors.Advance(a, "b");

  EXPECT_EQ(cursors.Find(a), "a");
  const std::uint64_t again = cursors.Advance(a, "b");
  EXPECT_EQ(cursors.Find(again), "b");

  std::uint64_t cursor = b;
  for (int i = 0; i < 5; ++i) cursor = cursors.Advance(cursor, "x");
  EXPECT_EQ(cursors.Find(a), std::nullopt);
}

}  // namespace
}  // namespace switchback
