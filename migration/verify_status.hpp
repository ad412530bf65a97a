// What a verify is asked to do, and how it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/role.hpp"

namespace switchback {

struct VerifyOptions {
  std::vector<std::string> collections = {};  // empty = all
  std::uint64_t bytes_per_second = 0;         // of compared keys and values; 0 = as fast as it goes
  bool is_continuous = false;                 // begins again after each pass, until it is cancelled
  bool is_fresh = false;                      // does not go on with a pass that was interrupted
  std::optional<Role> repair_from =
      std::nullopt;  // copies what differs from this role, through the log
};

struct VerifyStatus {
  // "none": never asked for. "interrupted": by a stop or a crash; it can go on.
  std::string state = "none";  // "none" "running" "interrupted" "clean" "differences" "failed"
                               // "cancelled"
  VerifyOptions options;
  std::string actor;
  std::string started_at;  // UTC, ISO 8601
  std::string ended_at;    // "" while it runs
  std::string error;       // why it failed
  std::string waiting;     // why it does not get on at this moment; "" when it does

  std::uint64_t passes = 0;  // finished ones
  std::string last_pass;     // what the newest finished one came to: "clean" or "differences"

  // Of the pass that runs, or of the last one.
  std::uint64_t records_compared = 0;
  std::uint64_t records_total = 0;  // of legacy, as of a moment ago
  std::uint64_t bytes_compared = 0;
  double records_per_second = 0;  // over about the last ten seconds
  double bytes_per_second = 0;
  double percent = 0;  // below 100 until the pass is over
  std::optional<double> eta_seconds;
  std::string current_collection;
  std::uint64_t missing = 0;   // records that only legacy has
  std::uint64_t extra = 0;     // that only unified has
  std::uint64_t differs = 0;   // that have different values
  std::uint64_t unnamed = 0;   // of these three, past the limit of named ones
  std::uint64_t repaired = 0;  // of these three, equal by now
  // Every record was compared at a position of the log from the first to the second.
  std::uint64_t sequence_first = 0;
  std::uint64_t sequence = 0;

  // Of all passes of this process; never fall.
  std::uint64_t records_since_start = 0;
  std::uint64_t bytes_since_start = 0;
  std::uint64_t differences_since_start = 0;
  std::uint64_t passes_since_start = 0;

  // What differs still, as far as is known.
  [[nodiscard]] std::uint64_t differences() const { return missing + extra + differs - repaired; }
};

}  // namespace switchback
