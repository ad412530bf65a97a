#include "flags/flag_store.hpp"

#include <utility>

#include "common/check.hpp"

namespace switchback {

FlagStore::FlagStore() : current_(std::make_shared<const FlagSnapshot>()) {}

void FlagStore::Publish(std::shared_ptr<const FlagSnapshot> snapshot) {
  SB_CHECK(snapshot != nullptr, "the store always has a snapshot");
  // The old snapshot may be the last reference to a large map: it is freed after the lock is.
  {
    MutexLock lock(mutex_);
    std::swap(current_, snapshot);
    version_.fetch_add(1, std::memory_order_release);
  }
}

std::shared_ptr<const FlagSnapshot> FlagStore::Current() const {
  MutexLock lock(mutex_);
  return current_;
}

FlagStore::Reader::Reader(const FlagStore& store) : store_(store) {
  Refresh();
}

void FlagStore::Reader::Refresh() {
  // Pointer and version are taken under one lock, so that the version never runs ahead of the
  // snapshot: that would hide a change for ever.
  MutexLock lock(store_.mutex_);
  snapshot_ = store_.current_;
  version_ = store_.version_.load(std::memory_order_relaxed);
}

}  // namespace switchback
