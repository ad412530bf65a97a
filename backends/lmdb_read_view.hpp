// Snapshots of an LMDB environment: a read transaction that is renewed and reset, and views right
// into the map. See ReadView for the contract.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "backends/lmdb_environment.hpp"
#include "backends/store_state_codec.hpp"

namespace switchback {

class LmdbReadView final : public ReadView, private ParkableReader {
 public:
  // May outlive the backend: Begin then says kUnavailable.
  explicit LmdbReadView(std::shared_ptr<LmdbEnvironment> environment);
  ~LmdbReadView() override;
  LmdbReadView(const LmdbReadView&) = delete;
  LmdbReadView& operator=(const LmdbReadView&) = delete;

  Status Begin() override;
  void End() noexcept override;
  [[nodiscard]] bool is_active() const noexcept override { return is_active_; }
  Result<std::optional<std::string_view>> Get(const Collection& collection,
                                              std::string_view key) override;
  Status Scan(const Collection& collection, std::string_view from, const Visitor& visit) override;
  Result<std::uint64_t> Count(const Collection& collection) override;
  Result<std::vector<std::string>> CollectionNames() override;
  Result<StoreState> State() override;
  Status CopyTo(const std::string& path, const CopyStep& step) override;

 private:
  void DropHandles() noexcept override { txn_.reset(); }
  int Renew();
  Status RenewBehindPublication();
  bool IsDatabaseRecord(MDB_dbi dbi, std::string_view key, const MDB_val& value) const;
  // Databases that exist in this snapshot.
  Result<std::vector<std::string>> Databases();
  Result<std::uint64_t> EntryCount(MDB_dbi dbi);

  const std::shared_ptr<LmdbEnvironment> environment_;
  MdbTxnHandle txn_;
  bool is_active_ = false;
};

// The state as a transaction sees it; commit_id 0 and an empty state when there is none.
Result<StampedState> ReadLmdbState(MDB_txn* txn, const LmdbCollections& collections);
inline constexpr std::string_view kLmdbStateKey = "state";

}  // namespace switchback
