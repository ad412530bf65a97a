#include "migration/byte_arena.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchback {
namespace {

TEST(ByteArena, CopiesStayWhereTheyAreUntilReset) {
  ByteArena arena(8u << 20);
  std::vector<std::string> originals;
  std::vector<std::string_view> copies;

  for (int i = 0; i < 5000; ++i) {
    originals.push_back(std::string(static_cast<std::size_t>(i % 700 + 1), static_cast<char>(i)));
    copies.push_back(arena.Copy(originals.back()));
  }

  for (std::size_t i = 0; i < originals.size(); ++i) ASSERT_EQ(copies[i], originals[i]);
}

TEST(ByteArena, UsesItsBlocksAgainAfterReset) {
  ByteArena arena(8u << 20);
  const std::string record(1000, 'r');
  for (int i = 0; i < 3000; ++i) arena.Copy(record);
  const std::size_t reserved = arena.reserved_bytes();

  for (int round = 0; round < 10; ++round) {
    arena.Reset();
    for (int i = 0; i < 3000; ++i) arena.Copy(record);
  }

  EXPECT_EQ(arena.reserved_bytes(), reserved);
}

TEST(ByteArena, GivesBackWhatAHugeValueTook) {
  ByteArena arena(2 * ByteArena::kBlockBytes);
  arena.Copy("small");
  const std::string huge(64u << 20, 'h');
  EXPECT_EQ(arena.Copy(huge), huge);
  EXPECT_GE(arena.reserved_bytes(), huge.size());

  arena.Reset();

  EXPECT_LE(arena.reserved_bytes(), 2 * ByteArena::kBlockBytes);
  EXPECT_EQ(arena.Copy("again"), "again");
}

TEST(ByteArena, SkipsABlockThatIsTooSmallForTheValue) {
  ByteArena arena(16u << 20);
  const std::string large(3 * ByteArena::kBlockBytes, 'l');
  arena.Copy("a");
  arena.Copy(large);
  arena.Reset();

  const std::string_view first = arena.Copy("first");
  const std::string_view second = arena.Copy(large);

  EXPECT_EQ(first, "first");
  EXPECT_EQ(second, large);
}

TEST(ByteArena, CopiesNothingOfNothing) {
  ByteArena arena(1u << 20);
  EXPECT_TRUE(arena.Copy({}).empty());
  EXPECT_EQ(arena.reserved_bytes(), 0u);
  arena.Reset();
}

}  // namespace
}  // namespace switchback
