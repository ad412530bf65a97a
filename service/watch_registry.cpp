#include "service/watch_registry.hpp"

#include <algorithm>

namespace switchback {

void WatchRegistry::Set::Add(const Collection& collection, std::string_view key) {
  const auto is_same = [&](const auto& watched) {
    return watched.first == &collection && watched.second == key;
  };
  if (std::any_of(keys_.begin(), keys_.end(), is_same)) return;
  keys_.emplace_back(&collection, key);
  registry_.Register(*this, collection, keys_.back().second);
}

void WatchRegistry::Set::Clear() {
  if (!keys_.empty()) registry_.Unregister(*this);
  keys_.clear();
  is_dirty_.store(false, std::memory_order_release);
}

void WatchRegistry::Register(Set& set, const Collection& collection, const std::string& key) {
  MutexLock lock(mutex_);
  by_collection_[collection.index][key].insert(&set);
  watch_count_.fetch_add(1, std::memory_order_seq_cst);
}

void WatchRegistry::Unregister(Set& set) {
  MutexLock lock(mutex_);
  for (const auto& [collection, key] : set.keys_) {
    auto& keys = by_collection_[collection->index];
    const auto watchers = keys.find(key);
    if (watchers == keys.end()) continue;
    watchers->second.erase(&set);
    if (watchers->second.empty()) keys.erase(watchers);
    watch_count_.fetch_sub(1, std::memory_order_seq_cst);
  }
}

void WatchRegistry::Touch(const std::vector<Effect>& effects) {
  if (!IsAnyoneWatching()) return;
  const auto make_dirty = [](const Watchers& watchers) {
    for (Set* set : watchers) set->is_dirty_.store(true, std::memory_order_release);
  };
  MutexLock lock(mutex_);
  for (const Effect& effect : effects) {
    const auto keys = by_collection_.find(effect.collection->index);
    if (keys == by_collection_.end()) continue;
    if (effect.kind == EffectKind::kClear) {
      for (const auto& [key, watchers] : keys->second) make_dirty(watchers);
    } else if (const auto watchers = keys->second.find(std::string(effect.key));
               watchers != keys->second.end()) {
      make_dirty(watchers->second);
    }
  }
}

}  // namespace switchback
