// From a key to its rollout bucket: which part of the key counts, and where it falls in 0..99,999.
// Pinned as "flagd-v2": another way would move every key and so would have to be another name,
// chosen in the file. Pure, allocation-free, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "flags/murmur3.hpp"

namespace switchback {

inline constexpr std::string_view kBucketingName = "flagd-v2";

// A share counts thousandths of a percent: 0 is nobody, kShareTotal is everybody.
inline constexpr std::uint32_t kShareTotal = 100'000;

// The part of `key` that is bucketed, so that records that belong together stay together: what is
// between the first '{' and the first '}' after it if that is not empty, else the whole key
// (source: Redis Cluster specification, hash tags). The result points into `key`.
inline std::string_view EntityOf(std::string_view key) noexcept {
  const auto open = key.find('{');
  if (open == std::string_view::npos) return key;
  const auto close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

// The bucket of a hash out of `total`. Multiply and shift, no modulo: with "on" listed first, keys
// are on below a threshold in hash space, so a larger share only adds keys and 25 of 100 chooses
// the same keys as 25,000 of 100,000.
constexpr std::uint32_t BucketOf(std::uint32_t hash, std::uint32_t total = kShareTotal) noexcept {
  return static_cast<std::uint32_t>((std::uint64_t{hash} * total) >> 32);
}

}  // namespace switchback
