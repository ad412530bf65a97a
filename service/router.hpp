// Which role answers for a key. Pure: flag snapshot, refusal, collection, key -> role; then
// coverage
// -> role.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "backends/collection.hpp"
#include "flags/flag_snapshot.hpp"
#include "flags/flag_store.hpp"
#include "service/role.hpp"

namespace switchback {

// The role that the flag asks for.
inline Role DesiredRole(const FlagRule& rule, bool is_refused, std::string_view key) {
  return !is_refused && rule.Decide(key) ? Role::kUnified : Role::kLegacy;
}

// The role that may answer: the desired one if the memtable covers it, else the other, else nobody
// (I5, I6).
inline std::optional<Role> ServingRole(Role desired, bool is_desired_covered,
                                       bool is_other_covered) {
  if (is_desired_covered) return desired;
  if (is_other_covered) return Other(desired);
  return std::nullopt;
}

// As a refused load: every load is, those to come included.
inline constexpr std::uint64_t kEveryLoad = UINT64_MAX;

inline bool IsRefused(std::uint64_t refused_load, std::uint64_t load_count) {
  return refused_load == kEveryLoad || (load_count != 0 && refused_load == load_count);
}

// One thread's way to the desired role: the newest snapshot's rule, looked up by name once per
// snapshot.
class Router {
 public:
  // `refused_load` is the load_count of the snapshot that JudgeFlags refused, 0 for none,
  // kEveryLoad while routing is held; both outlive this.
  Router(const FlagStore& flags, const std::atomic<std::uint64_t>& refused_load)
      : reader_(flags), refused_load_(refused_load) {}

  // `collection` null: of all, for which there is no override.
  [[nodiscard]] Role Route(const Collection* collection, std::string_view key) {
    const FlagSnapshot& snapshot = reader_.Current();
    if (&snapshot != snapshot_ || snapshot.load_count != load_count_) [[unlikely]]
      TakeOver(snapshot);
    const FlagRule& rule = has_overrides_ && collection != nullptr ? RuleOf(*collection) : *rule_;
    return DesiredRole(rule, IsRefused(refused_load_.load(std::memory_order_relaxed), load_count_),
                       key);
  }

 private:
  void TakeOver(const FlagSnapshot& snapshot) {
    snapshot_ = &snapshot;
    load_count_ = snapshot.load_count;
    rule_ = &snapshot.unified();
    has_overrides_ = snapshot.has_overrides();
    by_collection_.clear();
  }
  [[nodiscard]] const FlagRule& RuleOf(const Collection& collection) {
    if (collection.index >= by_collection_.size())
      by_collection_.resize(collection.index + 1, nullptr);
    const FlagRule*& rule = by_collection_[collection.index];
    if (rule == nullptr) rule = &snapshot_->unified(collection.name);
    return *rule;
  }

  FlagStore::Reader reader_;
  const std::atomic<std::uint64_t>& refused_load_;
  const FlagSnapshot* snapshot_ = nullptr;
  std::uint64_t load_count_ = 0;
  const FlagRule* rule_ = nullptr;  // of all collections
  bool has_overrides_ = false;
  std::vector<const FlagRule*> by_collection_;  // looked up when first asked for
};

}  // namespace switchback
