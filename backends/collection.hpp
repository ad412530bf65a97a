// Collections by name, interned: hot paths carry a `const Collection*` and never hash a name.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/limits.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"

namespace switchback {

// The records of an LMDB environment's unnamed database.
inline constexpr std::string_view kMainCollectionName = "main";
// LMDB database and SQLite table prefix that hold what Switchback itself must remember in a store.
// Invisible to clients.
inline constexpr std::string_view kReservedName = "__switchback";

struct Collection {
  const std::uint32_t index;  // 0.. in the order of interning; valid for this process only
  const std::string name;
  mutable std::atomic<std::uint8_t> left_out_of{0};  // a bit for each store

  // Whether the store of that number (service/role.hpp) holds this collection at all.
  [[nodiscard]] bool IsHeldBy(std::size_t store) const {
    return (left_out_of.load(std::memory_order_relaxed) >> store & 1u) == 0;
  }
};

// Names that clients may use: `[A-Za-z0-9_.-]{1,64}` and not starting with kReservedName.
bool IsValidCollectionName(std::string_view name);

// Grows only; a Collection lives as long as its catalog. Thread-safe; Find takes a lock.
class CollectionCatalog {
 public:
  // The collection of that name, made known now if need be. It does not make anything exist in a
  // store. Errors: kInvalidArgument (name), kTooLarge (kCollectionCountMax).
  Result<const Collection*> Intern(std::string_view name) SB_EXCLUDES(mutex_);
  // nullptr when unknown.
  [[nodiscard]] const Collection* Find(std::string_view name) const SB_EXCLUDES(mutex_);
  // All, by index.
  [[nodiscard]] std::vector<const Collection*> All() const SB_EXCLUDES(mutex_);

  // From now on that store holds these collections alone, those to come included; none = all.
  void SetHeld(std::size_t store, const std::vector<std::string>& names) SB_EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kStoreCountMax = 2;
  void MarkHeld(const Collection& collection) const SB_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<const Collection>> collections_ SB_GUARDED_BY(mutex_);
  std::unordered_map<std::string_view, const Collection*> by_name_ SB_GUARDED_BY(mutex_);
  std::array<std::vector<std::string>, kStoreCountMax> held_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
