// StoreState as bytes, for engines that keep it in one record. Versioned and checksummed: the state
// decides where replay starts, so a damaged one must never be believed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// `commit_id` is the engine's own number of the transaction that wrote the state (LMDB), by which a
// later, foreign commit is told from ours.
struct StampedState {
  StoreState state;
  std::uint64_t commit_id = 0;
};

std::string EncodeStoreState(const StampedState& stamped);
// Errors: kCorruption (too short, checksum), kUnsupported (written by a newer version).
Result<StampedState> DecodeStoreState(std::string_view bytes);

}  // namespace switchback
