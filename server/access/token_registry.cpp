#include "server/access/token_registry.hpp"

#include <algorithm>

#include "common/sha256.hpp"

namespace switchback {

bool ConstantTimeEqual(std::string_view left, std::string_view right) {
  unsigned char difference = left.size() == right.size() ? 0 : 1;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const char other = right.empty() ? '\0' : right[i % right.size()];
    difference = static_cast<unsigned char>(difference | (left[i] ^ other));
  }
  return difference == 0;
}

void TokenRegistry::Replace(std::vector<NamedToken> tokens) {
  const MutexLock lock(mutex_);
  tokens_ = std::move(tokens);
  generation_.fetch_add(1, std::memory_order_release);
}

std::optional<Principal> TokenRegistry::Find(std::string_view token) const {
  const std::string digest = Sha256Hex(token);
  std::optional<Principal> found;
  const MutexLock lock(mutex_);
  for (const NamedToken& known : tokens_) {
    if (ConstantTimeEqual(digest, known.digest)) found = Principal{known.name, known.role, digest};
  }
  return found;
}

std::optional<Principal> TokenRegistry::Find(std::string_view name, std::string_view token) const {
  auto found = Find(token);
  return found && found->name == name ? found : std::nullopt;
}

bool TokenRegistry::IsInForce(const Principal& principal) const {
  const MutexLock lock(mutex_);
  return std::any_of(tokens_.begin(), tokens_.end(), [&](const NamedToken& known) {
    return known.name == principal.name && known.role == principal.role &&
           known.digest == principal.digest;
  });
}

}  // namespace switchback
