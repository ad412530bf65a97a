// A Backend over an LMDB environment, one of ours or one that other programs made and read. What it
// adds to the environment is one named database, kReservedName.
//
// Adopted as it is: a directory or a MDB_NOSUBDIR file, records of the main database (collection
// "main") and of named databases. Databases that are not plain sets of records are listed by
// unservable() and never touched. A database with a custom comparison function cannot be told from
// a plain one: its order would be wrong, and so it must not be served.
//
// Failpoints: "lmdb.begin", "lmdb.put" (nothing applied), "lmdb.commit" (kUnknownOutcome, nothing
// applied; nospace: kNoSpace), "lmdb.committed" (kUnknownOutcome, all applied), "lmdb.sync",
// "lmdb.read".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "backends/lmdb_environment.hpp"

namespace switchback {

class LmdbBackend final : public Backend {
 public:
  // Makes the environment's databases known to `catalog`, which outlives the backend. Clears what
  // killed readers left. Errors: those of LmdbEnvironment::Open, and of the stored state
  // (kCorruption, kUnsupported).
  static Result<std::unique_ptr<LmdbBackend>> Open(LmdbOptions options, CollectionCatalog& catalog);

  // Waits for active snapshots like Reopen. When they don't end, the map is left open for them.
  ~LmdbBackend() override;
  LmdbBackend(const LmdbBackend&) = delete;
  LmdbBackend& operator=(const LmdbBackend&) = delete;

  [[nodiscard]] std::string_view engine() const override { return "lmdb"; }
  // May wait for another process that holds LMDB's writer lock. kBusy moreover when the map must
  // grow and readers did not end their snapshots in time: nothing applied, try again.
  Status Apply(std::span<const Effect> effects, const StoreState& state) override;
  Status MakeDurable() override;
  Result<StoreState> State() override;
  // Also clears what killed readers left.
  Status CheckAlone() override;
  // Opens the environment anew, since a foreign process may have made or dropped databases.
  Status AcceptForeign() override;
  Status Reopen() override;
  // Renames an empty environment over the old one: foreign processes that have it open keep the
  // old.
  Status Reset() override;
  Status MoveTo(const std::string& path) override;
  Status Detach() override;
  [[nodiscard]] const std::vector<UnservableCollection>& unservable() const override;
  Result<std::unique_ptr<ReadView>> NewReadView() override;
  BackendStats Stats() override;

 private:
  enum class Attempt { kDone, kMapFull };

  explicit LmdbBackend(std::shared_ptr<LmdbEnvironment> environment);

  Status CheckOpen() const;
  Status CheckCommitId();
  Status LoadState();
  Status OpenEnvironment();
  Status GrowEarly();
  [[nodiscard]] std::uint64_t EstimateBytes(std::span<const Effect> effects) const;
  Result<MdbTxnHandle> BeginWrite();
  Result<Attempt> TryApply(std::span<const Effect> effects, const StoreState& state);
  Status WriteState(MDB_txn* txn, const StoreState& state, bool& is_map_full);
  Result<Attempt> Commit(MdbTxnHandle txn, std::uint64_t commit_id);
  Error AfterFailedCommit(int error);
  [[nodiscard]] bool IsDiskFull(int error) const;
  Status Break(std::string message);
  [[nodiscard]] bool IsPanicked() const;
  void RememberStats();

  const std::shared_ptr<LmdbEnvironment> environment_;
  std::uint64_t last_commit_id_ = 0;  // of ours; 0: never attached, so nobody's commit is foreign
  bool is_foreign_ = false;
  bool is_broken_ = false;         // an outcome is unknown: nothing but Reopen
  bool is_sync_suspect_ = false;   // a sync failed: a commit must come before the next one counts
  std::uint64_t batch_bytes_ = 0;  // what the batch at hand may need
  std::uint64_t grow_early_at_bytes_ = 0;
  std::atomic<std::uint64_t> map_bytes_{0};  // for Stats, which comes from any thread
};

}  // namespace switchback
