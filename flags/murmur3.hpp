// MurmurHash3_x86_32, the hash that flagd buckets with. Pinned: a different hash would move every
// key to another store at once. Source: Austin Appleby, MurmurHash3.cpp (public domain); the tests
// hold published vectors.
//
// Inline, allocation-free and pure: it runs once for every routed request.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace switchback {

// The hash state after a prefix, so that hash(salt + key) needs neither their concatenation nor a
// second pass over the salt. Immutable; any thread may use it.
class Murmur3Prefix {
 public:
  constexpr Murmur3Prefix() = default;
  explicit Murmur3Prefix(std::string_view prefix, std::uint32_t seed = 0) noexcept
      : state_(seed), bytes_(static_cast<std::uint32_t>(prefix.size())) {
    for (; prefix.size() >= kBlockBytes; prefix.remove_prefix(kBlockBytes)) {
      state_ = MixBlock(state_, LoadBlock(prefix.data()));
    }
    pending_ = LoadTail(prefix);
    pending_bits_ = static_cast<std::uint32_t>(8 * prefix.size());
  }

  // The hash of the prefix and then `rest`, as if they were one string of less than 4 GiB.
  [[nodiscard]] std::uint32_t Finish(std::string_view rest) const noexcept {
    std::uint32_t hash = state_;
    const auto total_bytes = bytes_ + static_cast<std::uint32_t>(rest.size());
    // Blocks of the whole string do not fall on blocks of `rest`. The bytes that wait for their
    // block sit in the low end of a register; going through memory byte by byte would cost more
    // than the hash itself.
    std::uint64_t waiting = pending_;
    for (; rest.size() >= kBlockBytes; rest.remove_prefix(kBlockBytes)) {
      waiting |= std::uint64_t{LoadBlock(rest.data())} << pending_bits_;
      hash = MixBlock(hash, static_cast<std::uint32_t>(waiting));
      waiting >>= 32;
    }
    waiting |= std::uint64_t{LoadTail(rest)} << pending_bits_;
    if (pending_bits_ + 8 * rest.size() >= 32) {
      hash = MixBlock(hash, static_cast<std::uint32_t>(waiting));
      waiting >>= 32;
    }
    // The last 0..3 bytes; none at all are a zero block here, which changes nothing.
    hash ^= Scramble(static_cast<std::uint32_t>(waiting));
    return Finalize(hash ^ total_bytes);
  }

  friend bool operator==(const Murmur3Prefix&, const Murmur3Prefix&) = default;

 private:
  static constexpr std::size_t kBlockBytes = 4;

  // Little-endian on purpose: the hash of a key must not depend on the machine.
  static std::uint32_t LoadBlock(const char* bytes) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint32_t block = 0;
    std::memcpy(&block, bytes, kBlockBytes);
    return block;
  }
  // 0..3 bytes, little-endian. First, middle and last byte cover all three sizes without a branch
  // for each.
  static std::uint32_t LoadTail(std::string_view bytes) noexcept {
    const std::size_t size = bytes.size();
    if (size == 0) return 0;
    const auto at = [&bytes](std::size_t index) {
      return std::uint32_t{static_cast<unsigned char>(bytes[index])} << (8 * index);
    };
    return at(0) | at(size / 2) | at(size - 1);
  }
  static std::uint32_t Scramble(std::uint32_t block) noexcept {
    return std::rotl(block * 0xcc9e2d51u, 15) * 0x1b873593u;
  }
  static std::uint32_t MixBlock(std::uint32_t hash, std::uint32_t block) noexcept {
    return std::rotl(hash ^ Scramble(block), 13) * 5 + 0xe6546b64u;
  }
  static std::uint32_t Finalize(std::uint32_t hash) noexcept {
    hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
    return hash ^ (hash >> 16);
  }

  std::uint32_t state_ = 0;
  std::uint32_t bytes_ = 0;         // of the prefix
  std::uint32_t pending_ = 0;       // its last 0..3 bytes, which fill no block
  std::uint32_t pending_bits_ = 0;  // 0, 8, 16 or 24
};

// The hash of one string.
inline std::uint32_t Murmur3(std::string_view bytes, std::uint32_t seed = 0) noexcept {
  return Murmur3Prefix({}, seed).Finish(bytes);
}

}  // namespace switchback
