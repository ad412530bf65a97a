// RANDOMKEY over an ordered store that can only seek: no counts, no positions.
#pragma once

#include <optional>
#include <random>
#include <string>

#include "common/result.hpp"
#include "service/record_reader.hpp"

namespace switchback {

// A key of the collection, or nullopt when it is empty. Every key can be chosen; keys that share
// beginnings with few others are chosen more often. Walks down the tree that the keys' bytes form
// and takes a random branch where there are several: about twenty seeks a fork.
Result<std::optional<std::string>> ChooseRandomKey(RecordReader& reader,
                                                   const Collection& collection,
                                                   std::mt19937_64& random);

}  // namespace switchback
