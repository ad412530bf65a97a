#include "flags/murmur3.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace switchback {
namespace {

using std::literals::string_view_literals::operator""sv;

struct Vector {
  std::string_view input;
  std::uint32_t seed;
  std::uint32_t hash;
};

// Source: Ian Boyd's collection of MurmurHash3_x86_32 vectors (stackoverflow.com/a/31929528), made
// with the reference implementation.
constexpr Vector kPublished[] = {
    {""sv, 0, 0},
    {""sv, 1, 0x514E28B7},
    {""sv, 0xFFFFFFFF, 0x81F16F39},
    {"\xFF\xFF\xFF\xFF"sv, 0, 0x76293B50},
    {"\x21\x43\x65\x87"sv, 0, 0xF55B516B},
    {"\x21\x43\x65\x87"sv, 0x5082EDEE, 0x2362F9DE},
    {"\x21\x43\x65"sv, 0, 0x7E4A8634},
    {"\x21\x43"sv, 0, 0xA0F7B07A},
    {"\x21"sv, 0, 0x72661CF4},
    {"\0\0\0\0"sv, 0, 0x2362F9DE},
    {"\0\0\0"sv, 0, 0x85F0B427},
    {"\0\0"sv, 0, 0x30F4C306},
    {"\0"sv, 0, 0x514E28B7},
    {"aaaa"sv, 0x9747B28C, 0x5A97808A},
    {"aaa"sv, 0x9747B28C, 0x283E0130},
    {"aa"sv, 0x9747B28C, 0x5D211726},
    {"a"sv, 0x9747B28C, 0x7FA09EA6},
    {"abcd"sv, 0x9747B28C, 0xF0478627},
    {"abc"sv, 0x9747B28C, 0xC84A62DD},
    {"ab"sv, 0x9747B28C, 0x74875592},
    {"Hello, world!"sv, 0x9747B28C, 0x24884CBA},
    {"ππππππππ"sv, 0x9747B28C, 0xD58063C1},
    {"The quick brown fox jumps over the lazy dog"sv, 0x9747B28C, 0x2FA826CD},
};

TEST(Murmur3, GivesThePublishedHashes) {
  for (const Vector& vector : kPublished) {
    EXPECT_EQ(Murmur3(vector.input, vector.seed), vector.hash) << vector.input;
  }
  EXPECT_EQ(Murmur3(std::string(256, 'a'), 0x9747B28C), 0x37405BDCu);
}

TEST(Murmur3, HashesPrefixAndRestAsOneStringWhereverItIsCut) {
  std::string text;
  for (int byte = 0; byte < 48; ++byte) text.push_back(static_cast<char>(byte * 37 + 200));

  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string_view whole = std::string_view(text).substr(0, size);
    const std::uint32_t expected = Murmur3(whole);
    for (std::size_t cut = 0; cut <= size; ++cut) {
      const Murmur3Prefix prefix(whole.substr(0, cut));
      EXPECT_EQ(prefix.Finish(whole.substr(cut)), expected) << "size " << size << " cut " << cut;
    }
  }
}

}  // namespace
}  // namespace switchback
