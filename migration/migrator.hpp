// Starts fills and says how they stand. The journal of a fill is the target's own StoreState, so
// there is nothing to keep in step with it and nothing to recover but the fill itself.
#pragma once

#include <memory>
#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "migration/backfill.hpp"
#include "migration/migration_status.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct MigratorOptions {
  BackfillOptions backfill;  // its `source` is the direction: the target is the other role
};

// Thread-safe. `service` and `clock` outlive it. Calls read one store's state and do not wait for
// the fill.
class Migrator {
 public:
  Migrator(DbService& service, const Clock& clock, MigratorOptions options = {});

  // Begins a fill, or goes on with one that was interrupted, and returns. Errors: kConflict (one is
  // under way), kRefused (the target is in sync already; the source is not; the target holds
  // records that Switchback did not write), else those of the target's store.
  Status Start() SB_EXCLUDES(mutex_);

  // For the start of the server: goes on with a fill that a crash or stop interrupted, as soon as
  // its source is in sync. Does nothing when there is none. Errors: those of the target's store.
  Status ResumeIfInterrupted() SB_EXCLUDES(mutex_);

  [[nodiscard]] MigrationStatus GetStatus() SB_EXCLUDES(mutex_);

 private:
  [[nodiscard]] Status CheckMayStart(const ServiceStatus& status) const SB_REQUIRES(mutex_);
  // How the next fill begins, from what the target holds.
  Result<FillMode> ChooseMode() const SB_REQUIRES(mutex_);
  Status StartFill(FillMode mode) SB_REQUIRES(mutex_);
  Result<std::uint64_t> CountTargetRecords(ReadView& view) const;

  DbService& service_;
  const Clock& clock_;
  const MigratorOptions options_;
  const Role source_;
  const Role target_;

  mutable Mutex mutex_;
  std::shared_ptr<BackfillProgress> progress_ SB_GUARDED_BY(mutex_);  // of the newest fill, or null
  // Why the target was detached when that fill was asked for: as long as it gives this reason, its
  // follower has not yet seen the request.
  std::string detached_reason_ SB_GUARDED_BY(mutex_);
};

// The newest fill of this process.
struct FillAttempt {
  BackfillFigures figures;
  std::string detached_reason;
};

// What the followers' states and the newest fill (null: none in this process) come to. Pure.
MigrationStatus SummarizeMigration(const FollowerStatus& source, const FollowerStatus& target,
                                   Role target_role, const FillAttempt* attempt);

}  // namespace switchback
