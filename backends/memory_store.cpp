#include "backends/memory_store.hpp"

#include "common/check.hpp"

namespace switchback {

std::shared_ptr<const MemoryStore::Content> MemoryStore::Newest() const {
  // References are dropped under the mutex as well: Writable() may then believe the use count.
  const auto drop = [store = shared_from_this()](const Content* content) {
    MutexLock drop_lock(store->mutex_);
    delete content;
  };
  MutexLock lock(mutex_);
  return {new Content(content_), drop};
}

StoreState MemoryStore::State() const {
  MutexLock lock(mutex_);
  return content_.state;
}

// A collection that only `content_` refers to may change in place: nobody can be looking at it,
// since new references are made under the same mutex. Otherwise the change goes to a copy.
MemoryStore::Records& MemoryStore::Writable(std::string_view collection) {
  auto& records = content_.collections[std::string(collection)];
  if (records == nullptr) {
    records = std::make_shared<Records>();
  } else if (records.use_count() > 1) {
    records = std::make_shared<Records>(*records);
  }
  SB_CHECK(records.use_count() == 1, "only unshared records change");
  return *records;
}

void MemoryStore::ApplyOne(const Effect& effect) {
  const std::string& name = effect.collection->name;
  const bool exists = content_.collections.find(name) != content_.collections.end();
  switch (effect.kind) {
    case EffectKind::kPut: {
      Records& records = Writable(name);
      const auto at = records.lower_bound(effect.key);
      if (at != records.end() && at->first == effect.key) {
        at->second.assign(effect.value);
      } else {
        records.emplace_hint(at, effect.key, effect.value);
      }
      return;
    }
    case EffectKind::kDelete: {
      if (!exists) return;
      Records& records = Writable(name);
      if (const auto at = records.find(effect.key); at != records.end()) records.erase(at);
      return;
    }
    case EffectKind::kClear:
      if (exists) content_.collections[name] = std::make_shared<Records>();
      return;
  }
  SB_CHECK(false, "an effect is a put, a delete or a clear");
}

void MemoryStore::Commit(std::span<const Effect> effects, const StoreState& state) {
  MutexLock lock(mutex_);
  // Attaching takes the store as it is.
  if (content_.state == StoreState{}) foreign_accepted_ = foreign_count_;
  for (const Effect& effect : effects) ApplyOne(effect);
  content_.state = state;
}

void MemoryStore::MakeDurable() {
  MutexLock lock(mutex_);
  durable_ = content_;
}

void MemoryStore::Clear() {
  MutexLock lock(mutex_);
  content_ = Content{};
  durable_ = Content{};
  foreign_accepted_ = foreign_count_;
}

void MemoryStore::CommitForeign(std::string_view collection, std::string_view key,
                                std::string_view value) {
  MutexLock lock(mutex_);
  Writable(collection).insert_or_assign(std::string(key), std::string(value));
  ++foreign_count_;
}

bool MemoryStore::HasForeignCommit() const {
  MutexLock lock(mutex_);
  // A store that was never attached is nobody's yet, so anybody may write to it.
  return foreign_count_ != foreign_accepted_ && content_.state != StoreState{};
}

void MemoryStore::AcceptForeign() {
  MutexLock lock(mutex_);
  foreign_accepted_ = foreign_count_;
}

void MemoryStore::PowerCut() {
  MutexLock lock(mutex_);
  content_ = durable_;
}

void MemoryStore::HoldApplies() {
  MutexLock lock(mutex_);
  is_held_ = true;
}

void MemoryStore::ReleaseApplies() {
  MutexLock lock(mutex_);
  is_held_ = false;
  released_.NotifyAll();
}

void MemoryStore::WaitWhileHeld() {
  MutexLock lock(mutex_);
  while (is_held_) released_.Wait(mutex_);
}

}  // namespace switchback
