// Which role answers for a key. Pure: flag snapshot, refusal, key -> role; then coverage -> role.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

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

  [[nodiscard]] Role Route(std::string_view key) {
    const FlagSnapshot& snapshot = reader_.Current();
    if (&snapshot != snapshot_ || snapshot.load_count != load_count_) [[unlikely]] {
      snapshot_ = &snapshot;
      load_count_ = snapshot.load_count;
      rule_ = &snapshot.unified();
    }
    return DesiredRole(*rule_,
                       IsRefused(refused_load_.load(std::memory_order_relaxed), load_count_), key);
  }

 private:
  FlagStore::Reader reader_;
  const std::atomic<std::uint64_t>& refused_load_;
  const FlagSnapshot* snapshot_ = nullptr;
  std::uint64_t load_count_ = 0;
  const FlagRule* rule_ = nullptr;
};

}  // namespace switchback
