#include "service/value_digest.hpp"

#include <fmt/core.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace switchback {

std::string ValueDigest::HashHex() const {
  return fmt::format("{:016x}{:016x}", hash_high, hash_low);
}

ValueDigest DigestOf(std::string_view value) {
  const XXH128_hash_t hash = XXH3_128bits(value.data(), value.size());
  return {value.size(), hash.high64, hash.low64};
}

}  // namespace switchback
