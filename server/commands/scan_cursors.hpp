// Where each SCAN under way has got to. A cursor is a number on the wire, a position is a key of up
// to 511 bytes, so the server remembers which is which.
//
// A cursor that is not remembered is an error, never a guess: a guess could leave out keys, and
// SCAN promises every key that is there from the scan's beginning to its end. Numbers are random,
// so that a cursor from before a restart is not mistaken for another one's, and below 2^53, which
// JavaScript clients can hold.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/sync.hpp"
#include "server/resp/limits.hpp"

namespace switchback {

// Thread-safe. At most `scan_count_max` scans under way: the one that has not moved for the longest
// goes first. Positions that a scan has left are kept longer for a client that asks again, but
// apart, so that one fast scan cannot push out others'.
class ScanCursors {
 public:
  explicit ScanCursors(std::size_t scan_count_max = kScanCursorCountMax,
                       std::size_t retry_count_max = kScanCursorRetryCountMax,
                       std::uint64_t seed = std::random_device{}());

  // A new cursor for `position`, the last key looked at, in the scan that came here from
  // `previous` (0 = just begun).
  std::uint64_t Advance(std::uint64_t previous, std::string_view position) SB_EXCLUDES(mutex_);

  // The position, or nullopt when the cursor is not known (any more).
  std::optional<std::string> Find(std::uint64_t cursor) SB_EXCLUDES(mutex_);

 private:
  struct Entry {
    std::uint64_t cursor;
    std::string position;
    bool is_left = false;  // the scan has moved on
  };
  using Entries = std::list<Entry>;

  void Trim(Entries& entries, std::size_t count_max) SB_REQUIRES(mutex_);

  const std::size_t scan_count_max_;
  const std::size_t retry_count_max_;
  Mutex mutex_;
  std::mt19937_64 random_ SB_GUARDED_BY(mutex_);
  Entries current_ SB_GUARDED_BY(mutex_);  // least recently used first, as the next
  Entries left_ SB_GUARDED_BY(mutex_);
  std::unordered_map<std::uint64_t, Entries::iterator> by_cursor_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
