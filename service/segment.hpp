// A stretch of the log in memory: the net effect of consecutive batches, by collection and key. The
// memtable's unit of sealing, applying and evicting; a follower that catches up from the log builds
// its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "service/batch.hpp"

namespace switchback {

// Not thread-safe while batches are added; immutable and shared afterwards. Owns the bytes it
// points to.
class Segment {
 public:
  struct Entry {
    bool is_put;
    std::string_view value;
  };
  using Table = std::pmr::map<std::string_view, Entry>;
  struct CollectionEffects {
    const Collection* collection = nullptr;
    bool is_cleared = false;  // everything before this segment is gone; `entries` came after
    Table entries;
    CollectionEffects(const Collection* of, std::pmr::memory_resource* memory)
        : collection(of), entries(memory) {}
  };

  explicit Segment(std::uint64_t first_sequence, SteadyTime created_at);

  // `batch.sequence` must be last_sequence() + 1.
  void Add(const Batch& batch);
  // The same for consecutive batches, sorted first: twice as fast for many.
  void AddAll(std::span<const Batch> batches);
  // The hash that MayContain wants; the same for every segment.
  static std::uint64_t HashOf(const Collection& collection, std::string_view key);
  // False: certainly no entry for that key. A collection that was cleared here still counts for all
  // of its keys: see EffectsOf.
  [[nodiscard]] bool MayContain(std::uint64_t hash) const {
    const std::uint64_t mask = FilterMask(hash);
    return (filter_[FilterWord(hash)] & mask) == mask;
  }
  // nullptr when the segment says nothing about the collection.
  [[nodiscard]] const CollectionEffects* EffectsOf(const Collection& collection) const {
    return collection.index < by_collection_.size() ? by_collection_[collection.index].get()
                                                    : nullptr;
  }
  // Collections it touches, by index.
  [[nodiscard]] const std::vector<std::unique_ptr<CollectionEffects>>& by_collection() const {
    return by_collection_;
  }
  [[nodiscard]] bool has_clear() const { return has_clear_; }

  // As effects in (collection, key) order: a clear first, then puts and deletes. Views point into
  // this segment.
  [[nodiscard]] std::vector<Effect> NetEffects() const;
  // The same for consecutive segments, oldest first, as if they were one. Views point into them.
  static std::vector<Effect> NetEffects(std::span<const std::shared_ptr<const Segment>> segments);

  [[nodiscard]] std::uint64_t first_sequence() const { return first_sequence_; }
  [[nodiscard]] std::uint64_t last_sequence() const {
    return last_sequence_;
  }  // first - 1 when empty
  [[nodiscard]] bool is_empty() const { return last_sequence_ < first_sequence_; }
  [[nodiscard]] std::size_t record_count() const { return record_count_; }
  [[nodiscard]] std::size_t byte_count() const { return byte_count_; }
  [[nodiscard]] SteadyTime created_at() const { return created_at_; }

 private:
  // A Bloom filter in one word a key: 4 of the 64 bits of one of kFilterWords words, 16 bits a
  // record when the segment is full.
  static constexpr std::size_t kFilterWords = 8192;
  static std::size_t FilterWord(std::uint64_t hash) { return static_cast<std::size_t>(hash >> 51); }
  static std::uint64_t FilterMask(std::uint64_t hash) {
    return (1ull << (hash & 63)) | (1ull << ((hash >> 6) & 63)) | (1ull << ((hash >> 12) & 63)) |
           (1ull << ((hash >> 18) & 63));
  }
  CollectionEffects& EffectsFor(const Collection& collection);
  void MarkInFilter(const Effect& effect);
  void Keep(const Batch& batch);

  const std::uint64_t first_sequence_;
  std::uint64_t last_sequence_;
  const SteadyTime created_at_;
  std::pmr::monotonic_buffer_resource memory_;
  std::vector<std::shared_ptr<const std::string>> buffers_;
  std::vector<std::unique_ptr<CollectionEffects>> by_collection_;
  std::vector<std::uint64_t> filter_;
  bool has_clear_ = false;
  std::size_t record_count_ = 0;
  std::size_t byte_count_ = 0;
};

}  // namespace switchback
