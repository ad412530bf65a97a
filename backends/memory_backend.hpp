// The reference model: a Backend over std::map. Slow to copy, easy to believe. Tests compare the
// engines with it and use it below the service; it is not a role's store in a running server.
//
// Failpoints, with the label L of the constructor: "backend.L.apply" (nothing applied),
// "backend.L.commit" (kUnknownOutcome, nothing applied), "backend.L.committed" (kUnknownOutcome,
// all applied), "backend.L.sync", "backend.L.read".
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "backends/memory_store.hpp"

namespace switchback {

class MemoryBackend final : public Backend {
 public:
  // Makes the store's collections known to `catalog`, which outlives the backend. Two backends must
  // not be open on one store.
  MemoryBackend(std::shared_ptr<MemoryStore> store, CollectionCatalog& catalog,
                std::string_view label = "memory");

  [[nodiscard]] std::string_view engine() const override { return "memory"; }
  Status Apply(std::span<const Effect> effects, const StoreState& state) override;
  Status MakeDurable() override;
  Result<StoreState> State() override;
  Status CheckAlone() override;
  Status AcceptForeign() override;
  Status Reopen() override;
  Status Reset() override;
  Status Detach() override;
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const override {
    return unservable_;
  }
  Result<std::unique_ptr<ReadView>> NewReadView() override;
  BackendStats Stats() override;

 private:
  const std::shared_ptr<MemoryStore> store_;
  CollectionCatalog& catalog_;
  const std::string prefix_;
  const std::string apply_point_;
  const std::string commit_point_;
  const std::string committed_point_;
  const std::string sync_point_;
  bool needs_reopen_ = false;
  std::vector<UnservableCollection> unservable_;
};

}  // namespace switchback
