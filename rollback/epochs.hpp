// Where each epoch of the log came from: a restore goes back to a moment of another epoch and
// begins a new one there. With it a moment can be reached from a backup of an earlier epoch. Kept
// in <data-dir>/epochs.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "rollback/log_replay.hpp"

namespace switchback {

struct EpochOrigin {
  std::uint64_t epoch = 0;
  LogMoment from;  // what was there at its beginning; epoch 0: nobody knows
  // Its first batch is the one after. nullopt: it was to begin, and whether it did is not known.
  std::optional<std::uint64_t> begins_after;
  WallTime at{};  // when it began
};

// One thread at a time; blocks for the disk.
class EpochRecord {
 public:
  explicit EpochRecord(std::string path) : path_(std::move(path)) {}

  // By epoch. A file that is not there or cannot be read says nothing.
  [[nodiscard]] std::vector<EpochOrigin> Load() const;
  // In place of what is known of that epoch. The newest thousand are kept.
  [[nodiscard]] Status Note(const EpochOrigin& origin) const;

 private:
  const std::string path_;
};

// The last batch written at or before `time`, as FindTime has it, and the beginning of an epoch for
// a time between the restore that it came from and its first batch.
Result<LogMoment> FindTime(const std::vector<LogPiece>& pieces,
                           const std::vector<EpochOrigin>& origins, WallTime time);

// The moment that `moment` of a later epoch goes back to when all of its own epoch is undone.
// kNotFound: it is not known.
Result<EpochOrigin> OriginOf(const std::vector<EpochOrigin>& origins, const LogMoment& moment);

}  // namespace switchback
