// How a migration stands, for people and programs. Derived each time it is asked for, from the
// followers, the newest fill and the journal's record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migration/backfill_progress.hpp"
#include "migration/migration_record.hpp"
#include "migration/throttle.hpp"
#include "service/db_service.hpp"

namespace switchback {

// A way back that is under way, or the last one of this process.
struct RollbackProgress {
  std::string stage;  // "PREPARING" "EXECUTING" "VERIFYING" "COMPLETED" "FAILED"
  std::string step;
  std::uint64_t step_index = 0;  // from 1
  std::uint64_t step_count = 0;
  double percent = 0;
  std::optional<double> eta_seconds;
  double elapsed_seconds = 0;
  std::vector<std::string> errors;  // newest last, bounded
};

struct MigrationStatus {
  // "none"          nothing is or was migrated
  // "running"       being copied, catching up, or being verified
  // "paused"        by an operator
  // "complete"      the target holds every record and serves
  // "failed"        it needs an operator; `error` says what for
  // "rolling-back"  what was copied is being removed
  // "rolled-back"   it was removed; `last_result` says why
  // "locked"        the way back keeps failing; `error` says at what and what to do
  // "completing", "completed"  legacy is being, was let go
  std::string state;
  std::string phase;                     // of the journal's record (migration_record.hpp)
  std::string target;                    // "unified", or "legacy" when it runs in reverse
  std::vector<std::string> collections;  // those that are migrated; empty = all
  std::int64_t operation = 0;
  std::string actor;
  std::string reason;
  std::string started_at;  // UTC, ISO 8601; "" when there is none
  std::uint64_t records_done = 0;
  std::uint64_t records_total = 0;
  std::uint64_t bytes_done = 0;
  double records_per_second = 0;
  double bytes_per_second = 0;
  double percent = 0;  // 100 only when the state is "complete" or "completed"
  std::optional<double> eta_seconds;
  std::uint64_t lag_batches = 0;  // that the target has yet to apply
  std::string current_collection;
  std::string error;    // "running" with an error means it is being tried again
  std::string waiting;  // why the copy stands still at this moment; "" when it does not
  std::string note;
  std::string last_result;
  std::string kept_legacy;
  std::uint64_t active_seconds = 0;
  std::uint64_t seconds_max = 0;
  std::uint64_t invalid_records = 0;
  VerifyOutcome verify;

  double pace = 1;  // share of time that the copy may take
  std::vector<ThrottleSignal> signals;
  MigrationSettings settings;

  bool can_flip = false;
  std::string can_flip_reason;  // why not; "" when can_flip
  bool can_roll_back = false;
  std::string can_roll_back_reason;
  std::optional<double> roll_back_seconds;  // about how long that would take
  bool can_complete = false;
  std::string can_complete_reason;
  std::optional<RollbackProgress> rollback;
};

// The newest fill of this process.
struct FillAttempt {
  BackfillFigures figures;
  std::uint64_t invalid_records = 0;
};

// Pure. `attempt` is null when this process has filled nothing.
MigrationStatus SummarizeMigration(const ServiceStatus& service, const MigrationRecord& record,
                                   const FillAttempt* attempt);

// ": " and the reason why a store is as it is, "" without one.
std::string Because(const FollowerStatus& store);
// Why a flag must not send keys to unified yet, as far as the migration knows; "" when it may.
std::string WhyUnverified(const MigrationRecord& record);
// The same for removing what was copied, and for letting legacy go.
std::string WhyNotRollBack(const ServiceStatus& service, const MigrationRecord& record);
std::string WhyNotComplete(const ServiceStatus& service, const MigrationRecord& record);

}  // namespace switchback
