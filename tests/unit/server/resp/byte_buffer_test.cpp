#include "server/resp/byte_buffer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace switchback {
namespace {

TEST(ByteBuffer, KeepsWhatIsAppendedAndNotConsumed) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  ByteBuffer buffer;
  std::string model;
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes(random() % 300, static_cast<char>('a' + i % 26));
    buffer.Append(bytes);
    model += bytes;
    const std::size_t size = random() % (model.size() + 1);
    buffer.Consume(size);
    model.erase(0, size);
    ASSERT_EQ(buffer.view(), model);
  }
}

TEST(ByteBuffer, CommitsWhatWasWrittenIntoTheReservedRoom) {
  ByteBuffer buffer;
  buffer.Append("ab");

  char* room = buffer.Reserve(100);
  room[0] = 'c';
  buffer.Commit(1);

  EXPECT_EQ(buffer.view(), "abc");
  EXPECT_GE(buffer.room(), 99u);
}

TEST(ByteBuffer, GrowsInProportionToItsContent) {
  ByteBuffer buffer;
  const std::string chunk(1000, 'x');
  for (int i = 0; i < 1000; ++i) buffer.Append(chunk);

  EXPECT_EQ(buffer.size(), 1000000u);
  EXPECT_LE(buffer.capacity(), 2100000u);
}

TEST(ByteBuffer, StaysSmallWhenContentPassesThrough) {
  ByteBuffer buffer;
  for (int i = 0; i < 10000; ++i) {
    buffer.Append("0123456789");
    buffer.Append("0123456789");
    buffer.Consume(19);
    buffer.Consume(buffer.size() > 10 ? 2 : 0);
  }

  EXPECT_LT(buffer.capacity(), 4096u);
}

TEST(ByteBuffer, TruncatesBehindTheFront) {
  ByteBuffer buffer;
  buffer.Append("abcdef");
  buffer.Consume(2);

  buffer.Truncate(2);

  EXPECT_EQ(buffer.view(), "cd");
}

TEST(ByteBuffer, GivesMemoryBackOnlyWhenEmptyAndLarge) {
  ByteBuffer buffer;
  buffer.Append(std::string(10000, 'x'));
  buffer.ReleaseAbove(100);
  EXPECT_EQ(buffer.size(), 10000u);

  buffer.Clear();
  buffer.ReleaseAbove(100000);
  EXPECT_GE(buffer.capacity(), 10000u);
  buffer.ReleaseAbove(100);
  EXPECT_EQ(buffer.capacity(), 0u);

  buffer.Append("again");
  EXPECT_EQ(buffer.view(), "again");
}

}  // namespace
}  // namespace switchback
