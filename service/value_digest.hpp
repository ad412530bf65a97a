// What is said of a value instead of its bytes: its size and a hash of 128 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchback {

struct ValueDigest {
  std::uint64_t bytes = 0;
  std::uint64_t hash_high = 0;  // XXH3-128
  std::uint64_t hash_low = 0;

  friend bool operator==(const ValueDigest&, const ValueDigest&) = default;

  // The hash as `xxhsum -H2` prints it: 32 hexadecimal digits.
  [[nodiscard]] std::string HashHex() const;
};

ValueDigest DigestOf(std::string_view value);

// What both stores hold of one key; nullopt where it is absent.
struct DigestPair {
  std::optional<ValueDigest> legacy, unified;
  [[nodiscard]] bool is_equal() const { return legacy == unified; }
};

}  // namespace switchback
