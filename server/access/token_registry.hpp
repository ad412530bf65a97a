// The named tokens in force. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/sync.hpp"
#include "server/access/token_file.hpp"

namespace switchback {

class TokenRegistry {
 public:
  void Replace(std::vector<NamedToken> tokens) SB_EXCLUDES(mutex_);

  // Whose token it is. Takes as long whether it is right or not, and wherever it differs.
  [[nodiscard]] std::optional<Principal> Find(std::string_view token) const SB_EXCLUDES(mutex_);
  // The same, if it is the one of that name.
  [[nodiscard]] std::optional<Principal> Find(std::string_view name, std::string_view token) const
      SB_EXCLUDES(mutex_);
  // Whether that token, with that name and role, is in force still.
  [[nodiscard]] bool IsInForce(const Principal& principal) const SB_EXCLUDES(mutex_);
  // Changes with each Replace.
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

 private:
  mutable Mutex mutex_;
  std::vector<NamedToken> tokens_ SB_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> generation_{0};
};

// Whether both are the same, in a time that depends on the lengths only.
bool ConstantTimeEqual(std::string_view left, std::string_view right);

}  // namespace switchback
