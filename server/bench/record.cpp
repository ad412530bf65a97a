#include "server/bench/record.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "common/check.hpp"
#include "server/bench/random.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kIndexMax = (1ULL << 48) - 1;

// A bijection of 48-bit numbers: odd multiplications and shifted xors can all be undone.
std::uint64_t Scatter(std::uint64_t index) {
  index = (index * 0x9e3779b97f4bULL) & kIndexMax;
  index ^= index >> 25;
  index = (index * 0xbf58476d1ce5ULL) & kIndexMax;
  return index ^ (index >> 23);
}

}  // namespace

Key KeyOf(std::uint64_t index) {
  SB_CHECK(index <= kIndexMax, "keys are distinct up to 2^48 records");
  constexpr std::string_view kDigits = "0123456789abcdef";
  Key key{'u', 's', 'e', 'r'};
  std::uint64_t rest = Scatter(index);
  for (std::size_t position = kKeyBytes; position-- > 4; rest >>= 4)
    key[position] = kDigits[rest & 15];
  return key;
}

std::vector<std::uint64_t> IndexesInKeyOrder(std::uint64_t count) {
  std::vector<std::uint64_t> indexes(count);
  std::iota(indexes.begin(), indexes.end(), std::uint64_t{0});
  // Hexadecimal digits sort as their numbers do, so the numbers stand for the keys.
  std::sort(indexes.begin(), indexes.end(),
            [](std::uint64_t left, std::uint64_t right) { return Scatter(left) < Scatter(right); });
  return indexes;
}

void FillValue(std::span<char> value, std::uint64_t index, std::uint64_t version) {
  Random random(Mix64(index) ^ version);
  std::size_t filled = 0;
  while (filled < value.size()) {
    const std::uint64_t word = random.Next();
    const std::size_t size = std::min(sizeof word, value.size() - filled);
    std::memcpy(value.data() + filled, &word, size);
    filled += size;
  }
}

}  // namespace switchback::bench
