// A batch: the effects of one group commit, encoded once. The bytes that go to the log are the
// bytes that the memtable points into.
//
// Payload, little-endian: u16 number of collections, each u8 size + name; u32 number of effects,
// each
//   u8 kind | u16 collection (index into the list) | u16 key size | u32 value size | key | value
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// An encoded batch and its effects, whose views point into `bytes`. Move-only; moving keeps the
// views valid.
struct Batch {
  std::uint64_t sequence = 0;
  std::shared_ptr<const std::string> bytes;  // keeps keys and values alive
  std::vector<Effect> effects;
};

// Collects effects, finds the latest one of a key, and takes them back. One thread.
class BatchBuilder {
 public:
  BatchBuilder() : index_(0, ItemHash{this}, ItemEqual{this}) {}
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;

  void Add(EffectKind kind, const Collection& collection, std::string_view key,
           std::string_view value);
  [[nodiscard]] std::size_t effect_count() const { return items_.size(); }
  [[nodiscard]] std::size_t byte_count() const { return bytes_.size(); }
  // Drops all effects but the first `count`.
  void Truncate(std::size_t count);

  // What this batch has made of a key: nothing, a put (its value) or an absence.
  enum class Found : std::uint8_t { kNothing, kPut, kAbsent };
  // `value` points into the builder: valid until the next change.
  Found Find(const Collection& collection, std::string_view key, std::string_view& value);
  [[nodiscard]] bool Touches(const Collection& collection, std::string_view key);
  [[nodiscard]] bool IsCleared(const Collection& collection) const;
  // The effect at `position` of 0..effect_count()-1; views valid until the next change.
  [[nodiscard]] Effect At(std::size_t position) const;

  // The collections' list and the effects' count: the first part of the payload; effect_bytes() is
  // the second.
  [[nodiscard]] std::string Preamble();
  [[nodiscard]] const std::string& effect_bytes() const { return bytes_; }
  // Hands the effects over and starts anew.
  Batch Take(std::uint64_t sequence);

 private:
  static constexpr std::int32_t kNone = -1;
  struct Item {
    EffectKind kind;
    const Collection* collection;
    std::size_t offset;  // of the key in bytes_
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::int32_t previous;  // the item of the same key that this one hides in the index
  };
  struct Probe {
    std::uint32_t collection;
    std::string_view key;
  };
  struct ItemHash {
    using is_transparent = void;
    const BatchBuilder* builder;
    std::size_t operator()(std::int32_t item) const { return (*this)(builder->ProbeOf(item)); }
    std::size_t operator()(const Probe& probe) const;
  };
  struct ItemEqual {
    using is_transparent = void;
    const BatchBuilder* builder;
    bool operator()(std::int32_t a, std::int32_t b) const {
      return (*this)(builder->ProbeOf(a), b);
    }
    bool operator()(const Probe& a, std::int32_t b) const {
      const Probe other = builder->ProbeOf(b);
      return a.collection == other.collection && a.key == other.key;
    }
    bool operator()(std::int32_t a, const Probe& b) const { return (*this)(b, a); }
  };

  [[nodiscard]] Probe ProbeOf(std::int32_t item) const;
  std::uint16_t LocalIndex(const Collection& collection);
  void IndexNewItems();
  [[nodiscard]] std::int32_t LastClear(const Collection& collection) const;

  std::string bytes_;
  std::vector<Item> items_;
  std::vector<const Collection*> collections_;  // by local index
  std::unordered_set<std::int32_t, ItemHash, ItemEqual> index_;
  std::size_t indexed_count_ =
      0;  // items_[0..indexed_count_) are in index_: reads are rare, so indexing is lazy
  std::vector<std::int32_t> clears_;
};

// Decodes a payload; effects point into it. Collections are interned. Error: kCorruption.
Result<std::vector<Effect>> DecodeBatch(std::string_view payload, CollectionCatalog& catalog);

}  // namespace switchback
