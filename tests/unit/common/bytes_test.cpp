#include "common/bytes.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

TEST(Bytes, IntegersAndStringsComeBack) {
  std::string bytes;
  AppendInteger(bytes, std::uint8_t{0xab});
  AppendInteger(bytes, std::uint64_t{0x0123456789abcdef});
  AppendSized(bytes, std::string_view("a\0b", 3));
  AppendSized(bytes, "");
  bytes += "rest";
  EXPECT_EQ(bytes.substr(1, 8), "\xef\xcd\xab\x89\x67\x45\x23\x01") << "little-endian on disk";

  ByteReader reader(bytes);

  EXPECT_EQ(reader.ReadInteger<std::uint8_t>(), 0xab);
  EXPECT_EQ(reader.ReadInteger<std::uint64_t>(), 0x0123456789abcdefu);
  EXPECT_EQ(reader.ReadSized(), std::string_view("a\0b", 3));
  EXPECT_EQ(reader.ReadSized(), "");
  EXPECT_EQ(reader.remaining(), 4u);
  EXPECT_EQ(reader.ReadBytes(4), "rest");
  EXPECT_TRUE(reader.is_ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(Bytes, AShortReadSpoilsAllThatFollow) {
  ByteReader reader("abc");
  EXPECT_EQ(reader.ReadInteger<std::uint32_t>(), 0u);
  EXPECT_FALSE(reader.is_ok());
  EXPECT_EQ(reader.ReadInteger<std::uint8_t>(), 0u) << "although there was a byte";
  EXPECT_EQ(reader.ReadBytes(1), "");
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(Bytes, ASizePastTheEndIsAShortRead) {
  std::string bytes;
  AppendInteger(bytes, std::uint32_t{0xffffffff});
  bytes += "abc";
  ByteReader reader(bytes);
  EXPECT_EQ(reader.ReadSized(), "");
  EXPECT_FALSE(reader.is_ok());
}

}  // namespace
}  // namespace switchback
