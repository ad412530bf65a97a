// MurmurHash3_x86_32, the hash that flagd buckets with. Pinned: a different hash would move every
// key to another store at once. Source: Austin Appleby, MurmurHash3.cpp (public domain); the tests
// hold published vectors.
//
// Inline, allocation-free and pure: it runs once for every routed request.
#pragma once

#include <array>
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
      : state_(seed), size_(static_cast<std::uint32_t>(prefix.size())) {
    state_ = MixBlocks(state_, prefix);
    pending_size_ = prefix.size();
    CopySmall(pending_.data(), prefix.data(), pending_size_);
  }

  // The hash of the prefix and then `rest`, as if they were one string of less than 4 GiB.
  [[nodiscard]] std::uint32_t Finish(std::string_view rest) const noexcept {
    std::uint32_t hash = state_;
    const auto total_size = size_ + static_cast<std::uint32_t>(rest.size());
    std::array<char, kBlockBytes> tail = pending_;
    std::size_t tail_size = pending_size_;
    if (tail_size > 0) {
      // The block that straddles prefix and rest is put together here; what follows is in `rest`.
      const std::size_t missing = kBlockBytes - tail_size;
      const std::size_t taken = rest.size() < missing ? rest.size() : missing;
      CopySmall(tail.data() + tail_size, rest.data(), taken);
      rest.remove_prefix(taken);
      tail_size += taken;
      if (tail_size == kBlockBytes) {
        hash = MixBlock(hash, LoadBlock(tail.data()));
        tail_size = 0;
      }
    }
    if (tail_size == 0) {
      hash = MixBlocks(hash, rest);
      tail = {};
      CopySmall(tail.data(), rest.data(), rest.size());
    }
    // Zero bytes add nothing to the tail's block, and a zero block changes nothing.
    hash ^= Scramble(LoadBlock(tail.data()));
    return Finalize(hash ^ total_size);
  }

  friend bool operator==(const Murmur3Prefix&, const Murmur3Prefix&) = default;

 private:
  static constexpr std::size_t kBlockBytes = 4;

  // Fewer than four bytes: a loop is cheaper than a call of memcpy with a size known only at run
  // time.
  static void CopySmall(char* target, const char* source, std::size_t size) noexcept {
    for (std::size_t index = 0; index < size; ++index) target[index] = source[index];
  }
  // Little-endian on purpose: the hash of a key must not depend on the machine.
  static std::uint32_t LoadBlock(const char* bytes) noexcept {
    static_assert(std::endian::native == std::endian::little);
    std::uint32_t block = 0;
    std::memcpy(&block, bytes, kBlockBytes);
    return block;
  }
  static std::uint32_t Scramble(std::uint32_t block) noexcept {
    return std::rotl(block * 0xcc9e2d51u, 15) * 0x1b873593u;
  }
  static std::uint32_t MixBlock(std::uint32_t hash, std::uint32_t block) noexcept {
    return std::rotl(hash ^ Scramble(block), 13) * 5 + 0xe6546b64u;
  }
  // Mixes the whole blocks of `bytes` and leaves the last 0..3 bytes in it.
  static std::uint32_t MixBlocks(std::uint32_t hash, std::string_view& bytes) noexcept {
    while (bytes.size() >= kBlockBytes) {
      hash = MixBlock(hash, LoadBlock(bytes.data()));
      bytes.remove_prefix(kBlockBytes);
    }
    return hash;
  }
  static std::uint32_t Finalize(std::uint32_t hash) noexcept {
    hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
    return hash ^ (hash >> 16);
  }

  std::uint32_t state_ = 0;
  std::uint32_t size_ = 0;
  std::size_t pending_size_ = 0;  // 0..3 bytes of the prefix not mixed yet
  std::array<char, kBlockBytes> pending_{};
};

// The hash of one string.
inline std::uint32_t Murmur3(std::string_view bytes, std::uint32_t seed = 0) noexcept {
  return Murmur3Prefix({}, seed).Finish(bytes);
}

}  // namespace switchback
