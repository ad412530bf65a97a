// What a restore would do, before anything is done: shown to whoever asks for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "service/role.hpp"

namespace switchback {

struct RestoreRequest {
  // Go on from the backup to that moment; with an empty id from the nearest backup before it.
  std::optional<std::uint64_t> to_sequence = {};
  std::optional<WallTime> to_time = {};
  std::string id = {};                    // of the backup; "" = the generation before (undo)
  std::optional<Role> from = {};          // both stores from that half alone
  bool is_foreign_allowed = false;        // a backup of another data directory
  bool is_without_safety_backup = false;  // although what is there now can then only be undone to
  std::string actor = {};
  std::string reason = {};

  [[nodiscard]] bool has_moment() const { return to_sequence || to_time; }
  [[nodiscard]] bool is_undo() const { return id.empty() && !has_moment(); }
};

struct RestorePlan {
  std::string id;                                 // "" for an undo
  std::string generation;                         // in use now; the way back afterwards
  std::uint64_t epoch = 0, sequence = 0;          // of the backup; 0 for an undo
  std::uint64_t until = 0;                        // what is there afterwards: batches up to it
  std::uint64_t epoch_now = 0, sequence_now = 0;  // of what is there
  std::uint64_t batches_lost = 0;                 // written since; what an undo brings back
  std::optional<WallTime> created_at;             // of the backup: later writes are lost
  std::uint64_t bytes_needed = 0, bytes_free = 0;
  std::vector<std::string> steps;     // in order
  std::vector<std::string> warnings;  // what people should know beforehand
};

}  // namespace switchback
