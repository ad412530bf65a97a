#include "service/segment.hpp"

#include <xxhash.h>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::size_t kEntryOverheadBytes = 96;  // a map node and its share of the filter

}  // namespace

Segment::Segment(std::uint64_t first_sequence, SteadyTime created_at)
    : first_sequence_(first_sequence),
      last_sequence_(first_sequence - 1),
      created_at_(created_at),
      filter_(kFilterWords) {}

std::uint64_t Segment::HashOf(const Collection& collection, std::string_view key) {
  return XXH3_64bits_withSeed(key.data(), key.size(), collection.index);
}

Segment::CollectionEffects& Segment::EffectsFor(const Collection& collection) {
  if (collection.index >= by_collection_.size()) by_collection_.resize(collection.index + 1);
  auto& effects = by_collection_[collection.index];
  if (!effects) effects = std::make_unique<CollectionEffects>(&collection, &memory_);
  return *effects;
}

void Segment::Add(const Batch& batch) {
  SB_CHECK(batch.sequence == last_sequence_ + 1, "a segment holds consecutive batches");
  for (const Effect& effect : batch.effects) {
    CollectionEffects& effects = EffectsFor(*effect.collection);
    if (effect.kind == EffectKind::kClear) {
      effects.is_cleared = true;
      effects.entries.clear();
      has_clear_ = true;
    } else {
      effects.entries.insert_or_assign(effect.key,
                                       Entry{effect.kind == EffectKind::kPut, effect.value});
      const std::uint64_t hash = HashOf(*effect.collection, effect.key);
      filter_[FilterWord(hash)] |= FilterMask(hash);
    }
  }
  record_count_ += batch.effects.size();
  byte_count_ += batch.bytes->size() + batch.effects.size() * kEntryOverheadBytes;
  buffers_.push_back(batch.bytes);
  last_sequence_ = batch.sequence;
}

std::vector<Effect> Segment::NetEffects() const {
  std::vector<Effect> net;
  net.reserve(record_count_);
  for (const auto& effects : by_collection_) {
    if (!effects) continue;
    if (effects->is_cleared) net.push_back({EffectKind::kClear, effects->collection, {}, {}});
    for (const auto& [key, entry] : effects->entries) {
      net.push_back({entry.is_put ? EffectKind::kPut : EffectKind::kDelete, effects->collection,
                     key, entry.value});
    }
  }
  return net;
}

}  // namespace switchback
