#include "server/commands/scan_cursors.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kCursorMask = (std::uint64_t{1} << 53) - 1;

}  // namespace

ScanCursors::ScanCursors(std::size_t scan_count_max, std::size_t retry_count_max,
                         std::uint64_t seed)
    : scan_count_max_(scan_count_max), retry_count_max_(retry_count_max), random_(seed) {}

std::uint64_t ScanCursors::Advance(std::uint64_t previous, std::string_view position) {
  const MutexLock lock(mutex_);
  const auto found = by_cursor_.find(previous);
  if (found != by_cursor_.end() && !found->second->is_left) {
    found->second->is_left = true;
    left_.splice(left_.end(), current_, found->second);
    Trim(left_, retry_count_max_);
  }
  std::uint64_t cursor = 0;
  while (cursor == 0 || by_cursor_.contains(cursor)) cursor = random_() & kCursorMask;
  current_.push_back({cursor, std::string(position)});
  by_cursor_.emplace(cursor, std::prev(current_.end()));
  Trim(current_, scan_count_max_);
  return cursor;
}

std::optional<std::string> ScanCursors::Find(std::uint64_t cursor) {
  const MutexLock lock(mutex_);
  const auto found = by_cursor_.find(cursor);
  if (found == by_cursor_.end()) return std::nullopt;
  Entries& entries = found->second->is_left ? left_ : current_;
  entries.splice(entries.end(), entries, found->second);
  return found->second->position;
}

void ScanCursors::Trim(Entries& entries, std::size_t count_max) {
  while (entries.size() > count_max) {
    by_cursor_.erase(entries.front().cursor);
    entries.pop_front();
  }
}

}  // namespace switchback
