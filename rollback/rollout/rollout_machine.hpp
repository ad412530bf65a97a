// The decisions of a progressive rollout, as a pure state machine: what is seen comes in, what is
// to be done goes out; no clock, no thread, no file.
//
// (1) It writes only over what it wrote itself, or over what it found at its start. Once the file
//     holds anything else it has stopped for good: a person's edit is never undone.
// (2) A step ends only after its interval *and* its clean reads, and nothing speaks against it at
//     that moment. Time counts in looks that are at most kRolloutLookMax long, while the step is in
//     force and nothing speaks against it; so a clock that jumps, a process that stands still, or a
//     crash makes a step longer, never shorter.
// (3) What it is about to write is in its record first: after a crash the file holds the one or the
//     other, and both are known.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "rollback/rollout/rollout_record.hpp"

namespace switchback {

// The most that one look adds to a step's time.
inline constexpr std::chrono::milliseconds kRolloutLookMax{2000};
// An editor that writes in place empties the file for a moment: a file that is not there or not
// valid is taken for an edit once it has been so for this long.
inline constexpr std::chrono::milliseconds kRolloutDoubtMax{1000};

// The flags file as it was read.
struct RolloutFile {
  enum class Kind : std::uint8_t {
    kValid,
    kAbsent,      // there is none
    kBroken,      // not valid, or not one that can be edited
    kUnreadable,  // the disk refused: says nothing about the content
  };
  Kind kind = Kind::kValid;
  std::string flag;     // of kValid: FlagPoint::flag
  std::string problem;  // of the others, for people
};

struct RolloutSight {
  SteadyTime now;
  RolloutFile file;
  std::uint64_t clean_operations = 0;  // of unified since the process started
  // For people; "" = nothing.
  std::string tripped;    // what keeps every key on legacy: the rollout is over
  std::string hold;       // what speaks against going on, for now
  std::string refused;    // the flag in force was refused, and stays so until it is set again
  std::string may_write;  // why what is to be written next would be refused
};

class RolloutMachine {
 public:
  explicit RolloutMachine(RolloutRecord record) : record_(std::move(record)) {}

  // At least once each kRolloutLookMax. True: write record().writing into the file, after the
  // record is durable, and say OnWritten.
  bool Look(const RolloutSight& sight);
  void OnWritten();
  // It could not be written, or not be kept that it is to be: it stands and tries again.
  void OnFailure(const std::string& problem) { hold_ = problem; }

  // What people ask for; after a Look of the same moment. Errors: kNotFound (nothing runs),
  // kRefused. Whether something is to be written: record().writing.
  Status Begin(RolloutRecord record);  // of a new one: steps, interval, operations_min, before
  Status Pause(const std::string& actor);
  Status Resume(const std::string& actor, const std::string& may_write);
  // To the next step at once; the note says what was skipped. Goes on also when it was paused.
  Status Promote(const std::string& actor, const std::string& may_write);
  // Goes back to the share of before, or switches the flag off. Also after the guard has ended it,
  // as long as the file still holds what was written.
  Status Abort(const std::string& actor, const std::string& reason, bool is_to_zero,
               const FlagPoint& zero, const RolloutFile& file);

  void Stamp(std::string ended_at) { record_.ended_at = std::move(ended_at); }
  // Back to how it was before a Look or a call that could not be kept.
  void Revert(RolloutRecord record) { record_ = std::move(record); }

  [[nodiscard]] const RolloutRecord& record() const { return record_; }
  // Why it does not go on although it runs; "" = nothing does but time.
  [[nodiscard]] const std::string& hold() const { return hold_; }

 private:
  enum class FileState : std::uint8_t { kOurs, kWritten, kForeign, kDoubtful, kUnknown };
  [[nodiscard]] FileState Judge(const RolloutFile& file) const;
  bool CheckFile(const RolloutFile& file, SteadyTime now);
  [[nodiscard]] Status CheckAbort(const RolloutFile& file) const;
  void Count(const RolloutSight& sight, std::chrono::milliseconds passed, std::uint64_t operations);
  void Advance();
  void End(RolloutState state, std::string note);
  [[nodiscard]] bool IsStepOver() const;
  [[nodiscard]] std::string Progress() const;

  RolloutRecord record_;
  std::string hold_;
  // Of the look before; none at the start of a process.
  struct Seen {
    SteadyTime at;
    std::uint64_t clean_operations = 0;
  };
  std::optional<Seen> seen_;
  std::optional<SteadyTime> doubtful_since_;
};

}  // namespace switchback
