#include "service/segment.hpp"

#include <xxhash.h>

#include <algorithm>

#include "common/check.hpp"
#include "service/sorted_effects.hpp"

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
  for (const Effect& effect : batch.effects) {
    CollectionEffects& effects = EffectsFor(*effect.collection);
    if (effect.kind == EffectKind::kClear) {
      effects.is_cleared = true;
      effects.entries.clear();
      has_clear_ = true;
    } else {
      effects.entries.insert_or_assign(effect.key,
                                       Entry{effect.kind == EffectKind::kPut, effect.value});
      MarkInFilter(effect);
    }
  }
  Keep(batch);
}

void Segment::MarkInFilter(const Effect& effect) {
  const std::uint64_t hash = HashOf(*effect.collection, effect.key);
  filter_[FilterWord(hash)] |= FilterMask(hash);
}

void Segment::Keep(const Batch& batch) {
  SB_CHECK(batch.sequence == last_sequence_ + 1, "a segment holds consecutive batches");
  record_count_ += batch.effects.size();
  byte_count_ += batch.bytes->size() + batch.effects.size() * kEntryOverheadBytes;
  buffers_.push_back(batch.bytes);
  last_sequence_ = batch.sequence;
}

void Segment::AddAll(std::span<const Batch> batches) {
  const auto has_clear = [](const Batch& batch) {
    return std::any_of(batch.effects.begin(), batch.effects.end(),
                       [](const Effect& effect) { return effect.kind == EffectKind::kClear; });
  };
  // What came before a clear must stay before it.
  if (!is_empty() || std::any_of(batches.begin(), batches.end(), has_clear)) {
    for (const Batch& batch : batches) Add(batch);
    return;
  }
  const std::vector<const Effect*> effects = SortedEffects(batches);
  constexpr std::size_t kPrefetchAhead = 16;  // by now their keys are anywhere in memory
  for (std::size_t i = 0; i < effects.size(); ++i) {
    if (i + kPrefetchAhead < effects.size())
      __builtin_prefetch(effects[i + kPrefetchAhead]->key.data());
    const Effect& effect = *effects[i];
    Table& entries = EffectsFor(*effect.collection).entries;
    entries.emplace_hint(entries.end(), effect.key,
                         Entry{effect.kind == EffectKind::kPut, effect.value});
  }
  for (const Batch& batch : batches) {
    for (const Effect& effect : batch.effects) MarkInFilter(effect);
    Keep(batch);
  }
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

std::vector<Effect> Segment::NetEffects(std::span<const std::shared_ptr<const Segment>> segments) {
  if (segments.size() == 1) return segments.front()->NetEffects();
  std::vector<Effect> net;
  std::size_t collection_count = 0;
  for (const auto& segment : segments) {
    collection_count = std::max(collection_count, segment->by_collection_.size());
  }
  std::vector<Effect> all;  // of one collection, older segments first
  for (std::size_t index = 0; index < collection_count; ++index) {
    all.clear();
    for (const auto& segment : segments) {
      if (index >= segment->by_collection_.size() || !segment->by_collection_[index]) continue;
      const CollectionEffects& effects = *segment->by_collection_[index];
      if (effects.is_cleared) {
        all.clear();
        if (net.empty() || net.back().kind != EffectKind::kClear ||
            net.back().collection != effects.collection) {
          net.push_back({EffectKind::kClear, effects.collection, {}, {}});
        }
      }
      const auto middle = static_cast<std::ptrdiff_t>(all.size());
      for (const auto& [key, entry] : effects.entries) {
        all.push_back({entry.is_put ? EffectKind::kPut : EffectKind::kDelete, effects.collection,
                       key, entry.value});
      }
      const auto by_key = [](const Effect& a, const Effect& b) { return a.key < b.key; };
      std::inplace_merge(all.begin(), all.begin() + middle, all.end(),
                         by_key);  // stable: the newest of a key is last
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i + 1 == all.size() || all[i].key != all[i + 1].key) net.push_back(all[i]);
    }
  }
  return net;
}

}  // namespace switchback
