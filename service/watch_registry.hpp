// Which keys are watched, and by whom (WATCH). The pipeline tells it what has changed after the
// change is visible, so a client that registers before it reads can never miss a change between its
// read and its EXEC.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backends/backend.hpp"
#include "common/sync.hpp"
#include "service/batch.hpp"
#include "service/transaction.hpp"

namespace switchback {

// Thread-safe. Outlives its sets.
class WatchRegistry {
 public:
  // One client's watches.
  class Set final : public WatchSet {
   public:
    explicit Set(WatchRegistry& registry) : registry_(registry) {}
    ~Set() override { Clear(); }
    Set(const Set&) = delete;
    Set& operator=(const Set&) = delete;
    void Add(const Collection& collection, std::string_view key) override;
    void Clear() override;

    [[nodiscard]] bool is_dirty() const { return is_dirty_.load(std::memory_order_acquire); }
    [[nodiscard]] const std::vector<std::pair<const Collection*, std::string>>& keys() const {
      return keys_;
    }

   private:
    friend class WatchRegistry;
    WatchRegistry& registry_;
    std::vector<std::pair<const Collection*, std::string>> keys_;
    std::atomic<bool> is_dirty_{false};
  };

  // One relaxed load when nobody watches anything.
  void Touch(const std::vector<Effect>& effects) SB_EXCLUDES(mutex_);
  [[nodiscard]] bool IsAnyoneWatching() const {
    return watch_count_.load(std::memory_order_seq_cst) > 0;
  }

 private:
  using Watchers = std::unordered_set<Set*>;
  void Register(Set& set, const Collection& collection, const std::string& key) SB_EXCLUDES(mutex_);
  void Unregister(Set& set) SB_EXCLUDES(mutex_);

  Mutex mutex_;
  std::unordered_map<std::uint32_t, std::unordered_map<std::string, Watchers>> by_collection_
      SB_GUARDED_BY(mutex_);
  std::atomic<std::size_t> watch_count_{0};
};

}  // namespace switchback
