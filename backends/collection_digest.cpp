#include "backends/collection_digest.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>

#include "common/check.hpp"

namespace switchback {

void CollectionHasher::Free::operator()(XXH3_state_s* state) const noexcept {
  XXH3_freeState(state);
}

CollectionHasher::CollectionHasher() : state_(XXH3_createState()) {
  SB_CHECK(state_ != nullptr, "memory for a hash");
  XXH3_128bits_reset(state_.get());
}

CollectionHasher::~CollectionHasher() = default;

void CollectionHasher::Add(std::string_view key, std::string_view value) {
  SB_CHECK(key.size() <= UINT32_MAX && value.size() <= UINT32_MAX, "sizes have four bytes");
  const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(key.size()),
                                  static_cast<std::uint32_t>(value.size())};
  // One update for what is small: most records are.
  char buffer[1024];
  if (sizeof sizes + key.size() + value.size() <= sizeof buffer) {
    std::memcpy(buffer, sizes, sizeof sizes);
    std::memcpy(buffer + sizeof sizes, key.data(), key.size());
    if (!value.empty()) std::memcpy(buffer + sizeof sizes + key.size(), value.data(), value.size());
    XXH3_128bits_update(state_.get(), buffer, sizeof sizes + key.size() + value.size());
  } else {
    XXH3_128bits_update(state_.get(), sizes, sizeof sizes);
    XXH3_128bits_update(state_.get(), key.data(), key.size());
    XXH3_128bits_update(state_.get(), value.data(), value.size());
  }
  ++record_count_;
}

CollectionDigest CollectionHasher::Finish(std::string name) const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return {std::move(name), record_count_, fmt::format("{:016x}{:016x}", hash.high64, hash.low64)};
}

}  // namespace switchback
