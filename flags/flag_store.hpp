// Where the current flag snapshot is published to all threads.
//
// Readers keep a cached pointer and compare a version: about 1 ns a read. atomic<shared_ptr> costs
// twenty times that and is reported as a race by GCC's TSan with libstdc++ 12.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "common/sync.hpp"
#include "flags/flag_snapshot.hpp"

namespace switchback {

// Thread-safe. Holds a default snapshot (no flags) until the first Publish.
class FlagStore {
 public:
  FlagStore();
  FlagStore(const FlagStore&) = delete;
  FlagStore& operator=(const FlagStore&) = delete;

  // Makes `snapshot` the current one: every Current() that begins after the return sees it or a
  // later one. Not null. A short lock, shared with readers only when the snapshot changes.
  void Publish(std::shared_ptr<const FlagSnapshot> snapshot) SB_EXCLUDES(mutex_);

  // The newest snapshot, never null. Takes a lock: a hot path uses a Reader.
  [[nodiscard]] std::shared_ptr<const FlagSnapshot> Current() const SB_EXCLUDES(mutex_);

  // One thread's view. Not thread-safe; the store outlives it. It keeps one old snapshot alive at
  // most, until its next Current().
  class Reader {
   public:
    explicit Reader(const FlagStore& store);

    // The newest snapshot, valid until the next call. One atomic load while nothing changes.
    const FlagSnapshot& Current() {
      if (store_.version_.load(std::memory_order_acquire) != version_) [[unlikely]]
        Refresh();
      return *snapshot_;
    }

   private:
    void Refresh();

    const FlagStore& store_;
    std::shared_ptr<const FlagSnapshot> snapshot_;
    std::uint64_t version_ = 0;
  };

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const FlagSnapshot> current_ SB_GUARDED_BY(mutex_);
  // Changed only under the mutex, together with current_; read without it.
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace switchback
