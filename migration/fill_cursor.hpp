// How far a fill has come: records are filled in the order of their collection's name, then of
// their key, both bytewise, and the cursor is the last one filled.
#pragma once

#include <string>
#include <string_view>

#include "backends/backend.hpp"

namespace switchback {

struct FillCursor {
  std::string collection;  // "" = nothing is filled yet
  std::string key;

  explicit FillCursor(const StoreState& state)
      : collection(state.fill_collection), key(state.fill_key) {}

  [[nodiscard]] bool is_at_start() const { return collection.empty(); }

  // True when the record is filled already, so that later effects on it belong to the target.
  [[nodiscard]] bool Covers(std::string_view record_collection, std::string_view record_key) const {
    const int order = record_collection.compare(collection);
    return order < 0 || (order == 0 && record_key <= key);
  }

  // True when the effect changes something that is filled. The clearing of the collection that is
  // being filled does: what it clears of it is exactly what the target holds.
  [[nodiscard]] bool Covers(const Effect& effect) const {
    if (effect.kind == EffectKind::kClear) return effect.collection->name <= collection;
    return Covers(effect.collection->name, effect.key);
  }
};

}  // namespace switchback
