// What shadow reads have found: service/shadow_reader.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/value_digest.hpp"

namespace switchback {

struct ShadowMismatch {
  std::string collection;
  std::string key;
  DigestPair values;
  std::uint64_t sequence = 0;  // the position of the log at which both were read
};

struct ShadowStatus {
  double percentage = 0;
  std::uint64_t checked = 0;
  std::uint64_t mismatches = 0;
  std::uint64_t dropped = 0;  // keys that did not fit into the queue, or could not be judged
  std::uint64_t errors = 0;   // reads of a store that failed
  std::vector<ShadowMismatch> samples;  // the newest first, a bounded number
};

}  // namespace switchback
