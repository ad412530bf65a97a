// Many effects in the order of their keys, as bulk building wants them.
#pragma once

#include <span>
#include <vector>

#include "backends/backend.hpp"
#include "service/batch.hpp"

namespace switchback {

// The effects of `batches` by (collection index, key); of equal keys only the newest. Without
// clears: a clear has no place in that order. Pointers into `batches`.
std::vector<const Effect*> SortedEffects(std::span<const Batch> batches);

}  // namespace switchback
