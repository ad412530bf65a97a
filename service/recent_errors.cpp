#include "service/recent_errors.hpp"

#include <xxhash.h>

namespace switchback {

void RecentErrors::Add(Role role, const char* operation, std::string_view collection,
                       std::string_view key, const Error& error) {
  const std::uint64_t number = count_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (error.code == ErrorCode::kCorruption)
    corruptions_[Index(role)].fetch_add(1, std::memory_order_relaxed);
  const std::int64_t now = SystemClock().Now().time_since_epoch().count();
  std::int64_t kept_at = kept_at_ns_.load(std::memory_order_relaxed);
  constexpr std::int64_t kEveryNs = std::chrono::nanoseconds(kEvery).count();
  if (kept_at != 0 && now - kept_at < kEveryNs) return;
  if (!kept_at_ns_.compare_exchange_strong(kept_at, now, std::memory_order_relaxed)) return;
  StoreError entry{number,
                   SystemClock().WallNow(),
                   role,
                   operation,
                   std::string(collection),
                   key.empty() ? 0 : XXH3_64bits(key.data(), key.size()),
                   error.code,
                   error.message.substr(0, kMessageBytesMax)};
  MutexLock lock(mutex_);
  errors_.push_back(std::move(entry));
  if (errors_.size() > kCountMax) errors_.pop_front();
}

std::vector<StoreError> RecentErrors::List() const {
  MutexLock lock(mutex_);
  return {errors_.begin(), errors_.end()};
}

}  // namespace switchback
