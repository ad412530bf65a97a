// Compares a stretch of one collection in both stores: copies legacy's records of it into memory
// that is used again, then scans unified's over the same keys and compares as it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "migration/byte_arena.hpp"
#include "migration/pair_scan.hpp"

namespace switchback {

struct ChunkLimits {
  // A chunk holds at most this much of legacy, but always one record.
  std::size_t record_count_max = 16384;
  std::size_t bytes_max = 2u << 20;
  // A longer value is compared by its digest instead of being copied.
  std::size_t copied_value_bytes_max = 1u << 20;
  // Records of unified looked at in one chunk: what only unified holds has no other bound.
  std::size_t unified_record_count_max = 65536;
};

struct ChunkResult {
  std::uint64_t records = 0;  // keys of either store
  std::uint64_t bytes = 0;    // of their keys and values
  bool is_finished = false;   // nothing is left of the collection
  std::string last_key;       // else: every record up to and including it is compared
};

// One thread; for one chunk after another.
class ChunkComparer {
 public:
  explicit ChunkComparer(ChunkLimits limits) : limits_(limits), arena_(2 * limits.bytes_max) {}

  // Compares the records with key > `after` ("" = all) until a limit; `bytes_max` is one more on
  // what it holds of legacy. The keys of those that differ are added to `differing`; the chunk ends
  // when it holds `differing_count_max`. Errors: those of the views.
  Result<ChunkResult> Compare(StorePair& pair, const Collection& collection, std::string_view after,
                              std::uint64_t bytes_max, std::size_t differing_count_max,
                              std::vector<std::string>& differing);

 private:
  struct Item {
    std::string_view key;
    std::string_view value;
    std::uint32_t digest_position;  // in digests_; kNoDigest: `value` is the value
  };
  static constexpr std::uint32_t kNoDigest = UINT32_MAX;
  class Merge;

  // True when it holds the rest of the collection.
  Result<bool> CopyLegacy(StorePair& pair, const Collection& collection, std::string_view after,
                          std::uint64_t bytes_max);
  void CopyItem(std::string_view key, const SeenValue& value);
  [[nodiscard]] std::uint64_t ValueBytes(const Item& item) const;

  const ChunkLimits limits_;
  ByteArena arena_;
  std::vector<Item> items_;
  std::vector<ValueDigest> digests_;
};

}  // namespace switchback
