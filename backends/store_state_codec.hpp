// StoreState as bytes, for engines that keep it in one record. Versioned and checksummed: the state
// decides where replay starts, so a damaged one must never be believed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// `commit_id` is the engine's own number of the transaction that wrote the state (LMDB), by which a
// later, foreign commit is told from ours.
struct StampedState {
  StoreState state;
  std::uint64_t commit_id = 0;
};

// A store that holds some collections only must not be taken for a whole one by a program that
// knows of no such thing: its state has a version of its own.
inline constexpr std::uint32_t kWholeStateVersion = 1;
inline constexpr std::uint32_t kPartialStateVersion = 2;
inline std::uint32_t StateVersionOf(const StoreState& state) {
  return state.is_partial() ? kPartialStateVersion : kWholeStateVersion;
}
inline bool IsKnownStateVersion(std::uint64_t version) {
  return version == kWholeStateVersion || version == kPartialStateVersion;
}
// Names hold no comma.
std::string JoinCollectionNames(const std::vector<std::string>& names);
std::vector<std::string> SplitCollectionNames(std::string_view joined);

std::string EncodeStoreState(const StampedState& stamped);
// Errors: kCorruption (too short, checksum), kUnsupported (written by a newer version).
Result<StampedState> DecodeStoreState(std::string_view bytes);

}  // namespace switchback
