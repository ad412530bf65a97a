// The records that benchmarks store: a key for each index, and values that differ at each writing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace switchback::bench {

// Every key has 16 bytes, as the records of all published figures do.
inline constexpr std::size_t kKeyBytes = 16;
using Key = std::array<char, kKeyBytes>;

inline std::string_view View(const Key& key) {
  return {key.data(), key.size()};
}

struct RecordView {
  std::string_view key;
  std::string_view value;
};

// "user" and twelve hexadecimal digits. Distinct indexes below 2^48 give distinct keys, and
// neighbouring indexes give keys far apart (YCSB's insertorder=hashed): a new record lands anywhere
// in the B-tree, the hardest and the usual case.
Key KeyOf(std::uint64_t index);

// Indexes 0..count-1 in the order of their keys, for loading in key order.
std::vector<std::uint64_t> IndexesInKeyOrder(std::uint64_t count);

// Fills `value` with pseudo-random bytes that depend on `index` and `version` alone. Another
// version changes every byte but for chance: writing identical bytes would cost an engine nothing.
void FillValue(std::span<char> value, std::uint64_t index, std::uint64_t version);

}  // namespace switchback::bench
