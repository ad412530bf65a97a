// The commit log of a directory that may not start: every batch that can still be read, past
// damage as well. Reads only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "service/log_file.hpp"

namespace switchback {

struct LogRange {
  std::uint64_t first = 0, last = 0;  // both included
};

struct RescueLog {
  bool is_there = false;      // there are files of it
  bool is_end_known = false;  // the newest file can be read: there was nothing after last_seen
  std::string problem;        // what is damaged first; "" = nothing
  std::string log_id;         // "" = not known
  std::uint64_t epoch = 0;
  std::uint64_t last_seen = 0;   // of the batches that can be read, or that must have been there
  std::vector<LogRange> ranges;  // readable, in order, with gaps between them

  [[nodiscard]] bool is_intact() const { return is_there && problem.empty(); }
  // How far a store that has applied `sequence` can be brought with what is readable.
  [[nodiscard]] std::uint64_t EndFrom(std::uint64_t sequence) const;
};

// Tells `visit` about each readable batch, in order. Errors: those of `visit`. Damage is none.
using LogVisitor = std::function<Status(const LogRecord&)>;
Result<RescueLog> ReadRescueLog(const std::string& directory, const LogVisitor& visit);

}  // namespace switchback
