// The newest errors of stores, for whoever wants to know what went wrong: bounded in number and in
// what one of them holds, and cheap while everything fails.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "service/role.hpp"

namespace switchback {

struct StoreError {
  std::uint64_t number = 0;  // counts from 1
  WallTime time{};
  Role role = Role::kLegacy;
  std::string operation;
  std::string collection;      // "" = none
  std::uint64_t key_hash = 0;  // of the key, which may be a secret; 0 = none
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

// Thread-safe.
class RecentErrors {
 public:
  static constexpr std::size_t kCountMax = 256;
  static constexpr std::size_t kMessageBytesMax = 512;
  // At most one in that time is kept; the others are counted.
  static constexpr std::chrono::milliseconds kEvery{1};

  void Add(Role role, const char* operation, std::string_view collection, std::string_view key,
           const Error& error) SB_EXCLUDES(mutex_);
  // The oldest first.
  [[nodiscard]] std::vector<StoreError> List() const SB_EXCLUDES(mutex_);
  // Errors of that role which say that its store is damaged.
  [[nodiscard]] std::uint64_t CorruptionCount(Role role) const {
    return corruptions_[Index(role)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kRoleCount> corruptions_{};
  std::atomic<std::int64_t> kept_at_ns_{0};
  std::atomic<std::uint64_t> count_{0};
  mutable Mutex mutex_;
  std::deque<StoreError> errors_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
