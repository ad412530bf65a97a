// Both stores at one position of the log, while writes go on: what makes a comparison a proof.
//
// Two snapshots that are opened one after the other seldom stand at the same position, and looking
// again later, when both have moved on, would miss an effect that one of them has lost. So the log
// between the two positions is read once and laid over the store that stands behind: since
// content(store) = fold(effects 1..applied) (I2), both are then seen exactly at the later one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/fill.hpp"
#include "service/log_overlay.hpp"
#include "service/role.hpp"

namespace switchback {

struct StorePairOptions {
  std::size_t overlay_bytes_max = 24u << 20;
  // Of keys and values in the log between the two positions: bounds how long Begin holds the
  // snapshots.
  std::size_t log_bytes_max = 256u << 20;
};

// One thread. Holds snapshots between Begin and End: End soon.
class StorePair {
 public:
  // `access` outlives it.
  explicit StorePair(FillAccess& access, StorePairOptions options = {});
  ~StorePair() { End(); }
  StorePair(const StorePair&) = delete;
  StorePair& operator=(const StorePair&) = delete;

  // Effects for which it is false are left out of the overlay: their keys must not be looked at.
  // Empty = all are needed. Clears are always taken.
  using Filter = std::function<bool(const Effect&)>;
  // Opens both. Errors: kRefused (a store is being filled, or they follow different logs), kBusy
  // (they stand further apart than the limits allow, or the log between them has just been trimmed:
  // let them catch up and try again), else those of ReadView and of the log.
  Status Begin(const Filter& is_needed = {});
  void End() noexcept;
  [[nodiscard]] bool is_active() const { return is_active_; }

  // The rest needs Begin.

  // The position at which both are seen.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  // The store's own snapshot, and what the log makes of a collection on top of it; nullptr:
  // nothing.
  [[nodiscard]] ReadView& view(Role role) { return *views_[Index(role)]; }
  [[nodiscard]] const LogOverlay::Part* OverlayOf(Role role, const Collection& collection) const;

  Result<std::optional<ValueDigest>> GetDigest(Role role, const Collection& collection,
                                               std::string_view key);
  Result<DigestPair> GetDigests(const Collection& collection, std::string_view key);
  // Names of the collections of either store, sorted, without reserved ones.
  Result<std::vector<std::string>> CollectionNames();
  [[nodiscard]] CollectionCatalog& catalog() { return access_.catalog(); }

 private:
  Status Open(const Filter& is_needed);
  Result<StoreState> OpenView(Role role);
  static Status CheckStates(const StoreState& legacy, const StoreState& unified);
  Status ReadOverlay(std::uint64_t after, std::uint64_t last, const Filter& is_needed);
  Status AddBatch(const LogBatch& batch, const Filter& is_needed, std::size_t& log_bytes);

  FillAccess& access_;
  const StorePairOptions options_;
  std::array<std::unique_ptr<ReadView>, kRoleCount> views_;
  LogOverlay overlay_;
  std::optional<Role> behind_;  // the store that the overlay belongs to
  std::uint64_t sequence_ = 0;
  bool is_active_ = false;
};

}  // namespace switchback
