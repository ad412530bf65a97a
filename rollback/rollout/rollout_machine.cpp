#include "rollback/rollout/rollout_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.hpp"
#include "flags/share.hpp"

namespace switchback {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::string Found(const RolloutFile& file) {
  switch (file.kind) {
    case RolloutFile::Kind::kValid:
      return file.flag.empty() ? "names no " + std::string(kUnifiedFlagName) : "says " + file.flag;
    case RolloutFile::Kind::kAbsent: return "is not there";
    default: return "cannot be used: " + file.problem;
  }
}

}  // namespace

RolloutMachine::FileState RolloutMachine::Judge(const RolloutFile& file) const {
  switch (file.kind) {
    case RolloutFile::Kind::kUnreadable: return FileState::kUnknown;
    case RolloutFile::Kind::kBroken: return FileState::kDoubtful;
    case RolloutFile::Kind::kAbsent:
      // No file is how it may have been before the first write.
      return record_.written.empty() ? FileState::kOurs : FileState::kDoubtful;
    case RolloutFile::Kind::kValid: break;
  }
  if (record_.writing && file.flag == record_.writing->flag) return FileState::kWritten;
  return file.flag == record_.written ? FileState::kOurs : FileState::kForeign;
}

// True: the file holds what it has to, and what was to be written is still to be written if it is
// in the record.
bool RolloutMachine::CheckFile(const RolloutFile& file, SteadyTime now) {
  const FileState state = Judge(file);
  const bool is_doubtful = state == FileState::kDoubtful;
  if (!is_doubtful) doubtful_since_.reset();
  if (is_doubtful && !doubtful_since_) doubtful_since_ = now;
  if (state == FileState::kForeign || (is_doubtful && now - *doubtful_since_ >= kRolloutDoubtMax)) {
    End(RolloutState::kStoppedByEdit,
        fmt::format("somebody else changed the flags file: it {}; the rollout had written {}",
                    Found(file),
                    record_.written.empty() ? std::string("nothing yet") : record_.written));
    return false;
  }
  if (state == FileState::kWritten) OnWritten();
  if (is_doubtful || state == FileState::kUnknown) hold_ = "the flags file " + Found(file);
  return !is_doubtful && state != FileState::kUnknown;
}

bool RolloutMachine::Look(const RolloutSight& sight) {
  const auto passed = seen_ ? std::clamp(duration_cast<milliseconds>(sight.now - seen_->at),
                                         milliseconds(0), kRolloutLookMax)
                            : milliseconds(0);
  const std::uint64_t operations = seen_ && sight.clean_operations > seen_->clean_operations
                                       ? sight.clean_operations - seen_->clean_operations
                                       : 0;
  seen_ = Seen{sight.now, sight.clean_operations};
  hold_.clear();
  if (!record_.IsActive()) return false;
  if (record_.state != RolloutState::kAborting && !sight.tripped.empty()) {
    End(RolloutState::kAborted, sight.tripped);
    return false;
  }
  const bool was_writing = record_.writing.has_value();
  if (!CheckFile(sight.file, sight.now)) return false;
  if (record_.state == RolloutState::kRunning && !was_writing) Count(sight, passed, operations);
  if (!record_.writing || record_.state == RolloutState::kPaused) return false;
  if (record_.state == RolloutState::kRunning && !sight.may_write.empty()) {
    hold_ = sight.may_write;
    return false;
  }
  return true;
}

void RolloutMachine::Count(const RolloutSight& sight, milliseconds passed,
                           std::uint64_t operations) {
  if (!sight.refused.empty()) {
    record_.state = RolloutState::kPaused;
    record_.note = "the flag was refused: " + sight.refused +
                   "; `switchback rollout resume` once that is mended";
    return;
  }
  record_.operations += operations;
  hold_ = sight.hold;
  if (!hold_.empty()) return;
  record_.elapsed = std::min(record_.elapsed + passed, record_.interval);
  if (record_.elapsed < record_.interval) return;
  if (record_.operations < record_.operations_min) {
    hold_ = fmt::format("unified has answered {} of the {} reads that the step takes",
                        record_.operations, record_.operations_min);
  } else if (!sight.may_write.empty() && record_.step + 1 < record_.steps.size()) {
    hold_ = sight.may_write;
  } else {
    record_.note.clear();
    Advance();
  }
}

void RolloutMachine::Advance() {
  if (record_.step + 1 == record_.steps.size()) {
    End(RolloutState::kDone, record_.note);
    return;
  }
  record_.writing = record_.steps[++record_.step];
  record_.elapsed = milliseconds(0);
  record_.operations = 0;
}

void RolloutMachine::OnWritten() {
  SB_CHECK(record_.writing.has_value(), "only what is in the record is written");
  record_.written = record_.writing->flag;
  record_.writing.reset();
  if (record_.state == RolloutState::kAborting) End(RolloutState::kAborted, record_.note);
}

void RolloutMachine::End(RolloutState state, std::string note) {
  record_.state = state;
  record_.note = std::move(note);
  if (state == RolloutState::kStoppedByEdit) record_.is_cancelled = true;
}

std::string RolloutMachine::Progress() const {
  return fmt::format(
      "step {} of {} ({} %) had lasted {:.1f} of {:.1f} s with {} of {} reads", record_.step + 1,
      record_.steps.size(), FormatPercentage(record_.steps[record_.step].share),
      duration<double>(record_.elapsed).count(), duration<double>(record_.interval).count(),
      record_.operations, record_.operations_min);
}

Status RolloutMachine::Begin(RolloutRecord record) {
  if (record_.IsActive())
    return Fail(ErrorCode::kRefused, fmt::format("a rollout is {} already, begun by {}: abort it "
                                                 "first, or let it end",
                                                 RolloutStateName(record_.state), record_.actor));
  SB_CHECK(!record.steps.empty(), "a rollout has a step");
  record_ = std::move(record);
  record_.state = RolloutState::kRunning;
  record_.step = 0;
  record_.writing = record_.steps.front();
  hold_.clear();
  doubtful_since_.reset();
  return {};
}

Status RolloutMachine::Pause(const std::string& actor) {
  if (record_.state != RolloutState::kRunning)
    return Fail(ErrorCode::kNotFound,
                std::string("no rollout runs: it is ") + RolloutStateName(record_.state));
  record_.state = RolloutState::kPaused;
  record_.note = "paused by " + actor;
  hold_.clear();
  return {};
}

Status RolloutMachine::Resume(const std::string& actor, const std::string& may_write) {
  if (record_.state != RolloutState::kPaused)
    return Fail(ErrorCode::kNotFound,
                std::string("no rollout is paused: it is ") + RolloutStateName(record_.state));
  if (!may_write.empty()) return Fail(ErrorCode::kRefused, may_write);
  record_.state = RolloutState::kRunning;
  record_.note = "resumed by " + actor;
  return {};
}

Status RolloutMachine::Promote(const std::string& actor, const std::string& may_write) {
  if (record_.state != RolloutState::kRunning && record_.state != RolloutState::kPaused)
    return Fail(ErrorCode::kNotFound,
                std::string("no rollout runs: it is ") + RolloutStateName(record_.state));
  if (record_.writing)
    return Fail(ErrorCode::kRefused, "the step's share is not in the file yet: " + hold_);
  const bool is_last = record_.step + 1 == record_.steps.size();
  if (!is_last && !may_write.empty()) return Fail(ErrorCode::kRefused, may_write);
  record_.note = "promoted by " + actor + ": " + Progress();
  if (!hold_.empty()) record_.note += ", and was held: " + hold_;
  record_.state = RolloutState::kRunning;
  hold_.clear();
  Advance();
  return {};
}

Status RolloutMachine::CheckAbort(const RolloutFile& file) const {
  switch (record_.state) {
    case RolloutState::kRunning:
    case RolloutState::kPaused:
    case RolloutState::kAborted: break;
    case RolloutState::kStoppedByEdit:
      return Fail(ErrorCode::kRefused,
                  "somebody else changed the flag, so it is theirs: use `switchback flags set`");
    default:
      return Fail(ErrorCode::kNotFound, std::string("there is nothing to abort: the rollout is ") +
                                            RolloutStateName(record_.state));
  }
  const FileState state = Judge(file);
  if (state == FileState::kOurs || state == FileState::kWritten) return {};
  return Fail(ErrorCode::kRefused, "the flags file " + Found(file) +
                                       ", which the rollout did not write: use `switchback flags "
                                       "set`");
}

Status RolloutMachine::Abort(const std::string& actor, const std::string& reason, bool is_to_zero,
                             const FlagPoint& zero, const RolloutFile& file) {
  SB_RETURN_IF_ERROR(CheckAbort(file));
  const FlagPoint& target = is_to_zero ? zero : record_.before;
  const bool is_untouched = record_.step == 0 && record_.writing && Judge(file) == FileState::kOurs;
  if (Judge(file) == FileState::kWritten) record_.written = record_.writing->flag;
  record_.writing.reset();
  record_.note = "aborted by " + actor + (reason.empty() ? "" : ": " + reason);
  record_.is_cancelled = true;
  if (record_.written == target.flag || (is_untouched && !is_to_zero)) {
    End(RolloutState::kAborted, record_.note);
    return {};
  }
  record_.writing = target;
  record_.state = RolloutState::kAborting;
  return {};
}

}  // namespace switchback
