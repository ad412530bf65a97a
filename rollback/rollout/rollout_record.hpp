// What a rollout keeps in the journal, so that it goes on after a crash: the document "rollout".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flags/flag.hpp"
#include "migration/journal.hpp"

namespace switchback {

//   none ──> running <──> paused
//              │  │          │
//              │  └──────────┴──> aborting ──> aborted        stopped-by-edit: from all but the
//              ends └──> done          (aborted also at once, by the guard; then aborting, when
//              asked)
enum class RolloutState : std::uint8_t {
  kNone,
  kRunning,
  kPaused,
  kAborting,  // the share of before is being written
  kAborted,
  kStoppedByEdit,  // somebody else changed the flag: it is theirs
  kDone,
};
inline constexpr std::size_t kRolloutStateCount = 7;
const char* RolloutStateName(RolloutState state);  // "none" "running" ... "stopped-by-edit" "done"

// The unified flag as it stands in the file, or is to stand there.
struct FlagPoint {
  bool is_enabled = false;
  std::uint32_t share = 0;  // as written, whether enabled or not
  std::string flag;         // FlagRuleToJson; "" = the file names no such flag

  friend bool operator==(const FlagPoint&, const FlagPoint&) = default;
};

// The flag that a file holds (null: it names none), and the same flag at another share: salt and
// lists are a person's and stay.
FlagPoint PointOf(const FlagRule* rule);
FlagPoint PointAt(const FlagRule* rule, bool is_enabled, std::uint32_t share);

struct RolloutRecord {
  RolloutState state = RolloutState::kNone;
  std::int64_t operation = 0;  // in the journal
  std::string actor, reason;   // who began it, and why
  std::string started_at, ended_at;

  std::vector<FlagPoint> steps;  // the share grows from one to the next
  std::chrono::milliseconds interval{0};
  std::uint64_t operations_min = 0;  // clean reads of unified that a step takes
  FlagPoint before;                  // what an abort goes back to

  std::size_t step = 0;  // index of the one under way
  // What the file has to hold, as FlagPoint::flag; and what is being written over it.
  std::string written;
  std::optional<FlagPoint> writing;
  // Of the step: time in which it was in force and nothing spoke against it, and clean reads.
  std::chrono::milliseconds elapsed{0};
  std::uint64_t operations = 0;
  std::string note;           // why it stands, ended, or was moved on by hand
  bool is_cancelled = false;  // a person ended it

  [[nodiscard]] bool IsActive() const {
    return state == RolloutState::kRunning || state == RolloutState::kPaused ||
           state == RolloutState::kAborting;
  }
  friend bool operator==(const RolloutRecord&, const RolloutRecord&) = default;
};

std::string RolloutRecordToJson(const RolloutRecord& record);
// nullopt: not one of this version.
std::optional<RolloutRecord> RolloutRecordFromJson(const std::string& json);

// One that cannot be read (another version's) counts as none. Errors: the journal's.
Result<RolloutRecord> LoadRolloutRecord(Journal& journal);
Status StoreRolloutRecord(Journal& journal, const RolloutRecord& record);

}  // namespace switchback
