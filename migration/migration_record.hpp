// What a migration is and how far it has come, as the journal keeps it. The fill's own cursor is
// not in here: it lies in the target, beside the records.
//
//   idle ──> copying <──> paused        locked <──> rolling-back ──> idle
//              │ ^           │                          ^
//              v │           └──────────────────────────┤
//          verifying ───────────────────────────────────┤
//              v                                        │
//            ready ─────────────────────────────────────┘
//              └──> completing ──> completed ──> copying (the other way round)
//
// (1) A phase is in the journal before anything is done on its behalf, so that a restart goes on
// with what was intended. (2) Every step can be repeated. (3) Nothing here takes legacy out of
// service but `completing`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "migration/migration_settings.hpp"
#include "service/role.hpp"

namespace switchback {

enum class MigrationPhase : std::uint8_t {
  kIdle,
  kCopying,    // until the target is in sync
  kPaused,     // by an operator
  kVerifying,  // both stores are compared
  kReady,      // the target holds everything
  kRollingBack,
  kLocked,      // a step of the way back keeps failing: an operator must help
  kCompleting,  // legacy is being let go
  kCompleted,   // unified is on its own
};

struct MigrationPhaseRule {
  MigrationPhase phase;
  const char* name;
  std::uint16_t next;  // phases it may move to
};

constexpr std::uint16_t To(MigrationPhase phase) {
  return static_cast<std::uint16_t>(1u << static_cast<unsigned>(phase));
}
template <class... Phases>
constexpr std::uint16_t ToAny(Phases... phases) {
  return static_cast<std::uint16_t>((To(phases) | ...));
}

using enum MigrationPhase;
inline constexpr std::array<MigrationPhaseRule, 9> kMigrationPhases{{
    {kIdle, "idle", ToAny(kCopying, kRollingBack, kCompleting)},
    {kCopying, "copying", ToAny(kPaused, kVerifying, kReady, kRollingBack)},
    {kPaused, "paused", ToAny(kCopying, kRollingBack)},
    {kVerifying, "verifying", ToAny(kCopying, kReady, kRollingBack)},
    {kReady, "ready", ToAny(kCopying, kRollingBack, kCompleting)},
    {kRollingBack, "rolling-back", ToAny(kIdle, kLocked, kCompleted)},
    {kLocked, "locked", ToAny(kRollingBack)},
    {kCompleting, "completing", ToAny(kCompleted, kReady)},
    {kCompleted, "completed", ToAny(kCopying)},
}};
constexpr const char* MigrationPhaseName(MigrationPhase phase) {
  return kMigrationPhases[static_cast<std::size_t>(phase)].name;
}
constexpr bool MayMove(MigrationPhase from, MigrationPhase to) {
  return (kMigrationPhases[static_cast<std::size_t>(from)].next & To(to)) != 0;
}

// What the newest verify of the copy came to.
struct VerifyOutcome {
  std::string outcome;  // "" (none yet), "clean", "differences"
  std::string at;
  std::uint64_t sequence = 0;  // of the log, up to which it holds
  std::uint64_t records = 0;
  std::uint64_t differences = 0;

  friend bool operator==(const VerifyOutcome&, const VerifyOutcome&) = default;
};

struct MigrationRecord {
  MigrationPhase phase = kIdle;
  Role target = Role::kUnified;
  std::vector<std::string> collections;  // those that are migrated, sorted; empty = all
  std::int64_t operation = 0;            // in the journal; 0 = none yet
  std::string actor;
  std::string reason;
  std::string started_at;
  std::uint64_t active_seconds = 0;  // spent in kCopying, to about a minute
  MigrationSettings settings;
  std::optional<double> read_p99_before_us;  // of the foreground, before the copy
  std::optional<double> write_p99_before_us;
  // The backup that has to be there first: "" = none has begun, or none is wanted.
  std::string backup;
  bool is_backed_up = false;  // it is there, or none is wanted
  std::string note;           // what happened on the way that people should know
  VerifyOutcome verify;
  // Unified was filled and not verified since: a flag may send nothing there, unless an operator
  // allows it.
  bool is_unified_unverified = false;
  bool is_unverified_allowed = false;

  // The way back, while there is one or of the last one.
  std::int64_t rollback_operation = 0;
  std::string rollback_trigger;  // "cancel" "abandon" "invalid-records" "unreachable" ...
  std::string rollback_reason;
  std::string rollback_actor;
  std::string locked_reason;
  std::string last_result;  // of the migration before, "" when there was none
  std::string kept_legacy;  // where what was let go lies

  friend bool operator==(const MigrationRecord&, const MigrationRecord&) = default;
};

std::string MigrationRecordToJson(const MigrationRecord& record);
// kCorruption when it is not what MigrationRecordToJson writes.
Result<MigrationRecord> ParseMigrationRecord(std::string_view json);

}  // namespace switchback
