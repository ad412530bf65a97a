// How a migration stands, for people and programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace switchback {

struct MigrationStatus {
  // "none"     the target does not follow and nobody fills it
  // "running"  it is being filled, or catches up with what was written meanwhile
  // "complete" it holds every record and serves
  // "failed"   it needs an operator; `error` says what for
  std::string state;
  std::string started_at;  // UTC, ISO 8601, of the attempt of this process; "" when there is none
  std::uint64_t records_done = 0;
  std::uint64_t records_total = 0;
  std::uint64_t bytes_done = 0;
  double records_per_second = 0;
  double percent = 0;  // 100 only when the state is "complete"
  std::optional<double> eta_seconds;
  std::string current_collection;
  std::string error;  // of the last attempt; "running" with an error means it is being tried again
  bool can_flip = false;
  std::string can_flip_reason;  // why not; "" when can_flip
};

}  // namespace switchback
