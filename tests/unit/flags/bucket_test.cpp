#include "flags/bucket.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "flags/flag.hpp"

namespace switchback {
namespace {

using std::literals::string_view_literals::operator""sv;

std::uint32_t HashOf(std::string_view entity) {
  return Murmur3Prefix(kUnifiedFlagName).Finish(entity);
}

struct Golden {
  std::string_view entity;
  std::uint32_t hash;
  std::uint32_t bucket;
};

// Made by an implementation of its own (Python, checked against the published vectors). A change of
// any line here moves users' keys between stores: never edit them, add a new bucketing name.
constexpr Golden kGolden[] = {
    {"a"sv, 0x8189D3B4, 50600},
    {"user:1"sv, 0x65D19731, 39772},
    {"user:2"sv, 0xC1A517B3, 75642},
    {"user:3"sv, 0x48AEA297, 28391},
    {"tenant-a"sv, 0xF057CEBE, 93883},
    {"tenant-b"sv, 0x4C778B38, 29869},
    {"ключ"sv, 0xA7D298EB, 65555},
    {"\x00\xFF"sv, 0xC6C403D0, 77642},
    {"msg:0000000001"sv, 0xB5649EB3, 70856},
    {"0123456789abcdef0123456789abcdef"sv, 0x3FDAC2EA, 24943},
};

TEST(Bucket, IsPinnedForTheUnifiedFlag) {
  for (const Golden& golden : kGolden) {
    EXPECT_EQ(HashOf(golden.entity), golden.hash) << golden.entity;
    EXPECT_EQ(BucketOf(golden.hash), golden.bucket) << golden.entity;
  }
}

TEST(Bucket, TwentyFiveOfAHundredChoosesTheKeysOfTwentyFiveThousandOfAHundredThousand) {
  std::mt19937 random(20240607);

  for (int round = 0; round < 200'000; ++round) {
    const auto hash = static_cast<std::uint32_t>(random());
    const std::uint32_t percent = hash % 101;
    ASSERT_EQ(BucketOf(hash, 100) < percent, BucketOf(hash) < percent * 1000) << hash;
  }
}

TEST(Bucket, StaysBelowTheTotalAtTheEdgesOfTheHash) {
  EXPECT_EQ(BucketOf(0), 0u);
  EXPECT_EQ(BucketOf(0xFFFFFFFF), kShareTotal - 1);
  // The first hash of the upper half is the first that 50 % leaves out.
  EXPECT_EQ(BucketOf(0x7FFFFFFF), kShareTotal / 2 - 1);
  EXPECT_EQ(BucketOf(0x80000000), kShareTotal / 2);
}

TEST(Bucket, EntityIsTheHashTagAsInRedisCluster) {
  EXPECT_EQ(EntityOf("{tenant-a}:msg:1"), "tenant-a");
  EXPECT_EQ(EntityOf("msg:{tenant-a}"), "tenant-a");
  EXPECT_EQ(EntityOf("foo{{bar}}zap"), "{bar");  // first '{', first '}' after it
  EXPECT_EQ(EntityOf("foo{bar}{zap}"), "bar");   // the first tag counts
  EXPECT_EQ(EntityOf("a}b{c}"), "c");            // a '}' before the '{' is nothing
}

TEST(Bucket, EntityIsTheWholeKeyWithoutATag) {
  EXPECT_EQ(EntityOf(""), "");
  EXPECT_EQ(EntityOf("plain"), "plain");
  EXPECT_EQ(EntityOf("foo{}{bar}"), "foo{}{bar}");  // an empty first tag: no tag at all
  EXPECT_EQ(EntityOf("open{ended"), "open{ended");
  EXPECT_EQ(EntityOf("closed}only"), "closed}only");
  EXPECT_EQ(EntityOf("{"), "{");
  EXPECT_EQ(EntityOf("}{"), "}{");
  EXPECT_EQ(EntityOf("\0{\0}"sv), "\0"sv);
}

}  // namespace
}  // namespace switchback
