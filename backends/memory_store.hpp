// What a MemoryBackend keeps, apart from the backend, so that it outlives a "crash": destroy the
// backend, make a new one over the same store, and it finds what a process would find after kill
// -9. PowerCut() then takes away what no MakeDurable has covered. For tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "backends/backend.hpp"
#include "common/sync.hpp"

namespace switchback {

// Thread-safe. Nothing here blocks, but for WaitWhileHeld. Made by std::make_shared only.
class MemoryStore : public std::enable_shared_from_this<MemoryStore> {
 public:
  using Records = std::map<std::string, std::string, std::less<>>;
  // One committed state. Collections are shared between contents and copied when they change.
  struct Content {
    std::map<std::string, std::shared_ptr<Records>, std::less<>> collections;
    StoreState state;
  };

  // The newest committed content: what a snapshot holds. Never changes afterwards.
  [[nodiscard]] std::shared_ptr<const Content> Newest() const SB_EXCLUDES(mutex_);
  [[nodiscard]] StoreState State() const SB_EXCLUDES(mutex_);

  // All of it at once; the caller has checked the effects.
  void Commit(std::span<const Effect> effects, const StoreState& state) SB_EXCLUDES(mutex_);
  void MakeDurable() SB_EXCLUDES(mutex_);
  void Clear() SB_EXCLUDES(mutex_);

  // A commit as another process would make it: the backend must notice.
  void CommitForeign(std::string_view collection, std::string_view key, std::string_view value)
      SB_EXCLUDES(mutex_);
  // How many foreign commits there were, and how many of them the owner has accepted.
  [[nodiscard]] bool HasForeignCommit() const SB_EXCLUDES(mutex_);
  void AcceptForeign() SB_EXCLUDES(mutex_);

  // Back to what the last MakeDurable covered. Only while no backend is open on the store.
  void PowerCut() SB_EXCLUDES(mutex_);

  // Between these two every Apply hangs, as a store on a dead disk would. Hold before, release from
  // another thread.
  void HoldApplies() SB_EXCLUDES(mutex_);
  void ReleaseApplies() SB_EXCLUDES(mutex_);
  void WaitWhileHeld() SB_EXCLUDES(mutex_);

 private:
  Records& Writable(std::string_view collection) SB_REQUIRES(mutex_);
  void ApplyOne(const Effect& effect) SB_REQUIRES(mutex_);

  mutable Mutex mutex_;
  CondVar released_;
  Content content_ SB_GUARDED_BY(mutex_);
  Content durable_ SB_GUARDED_BY(mutex_);
  std::uint64_t foreign_count_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t foreign_accepted_ SB_GUARDED_BY(mutex_) = 0;
  bool is_held_ SB_GUARDED_BY(mutex_) = false;
};

}  // namespace switchback
