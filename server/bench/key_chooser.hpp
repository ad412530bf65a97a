// Which record an operation touches: YCSB's request distributions.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/result.hpp"

namespace switchback::bench {

enum class Distribution : std::uint8_t {
  kUniform,
  kZipfian,  // scrambled: popular records lie anywhere
  kLatest,   // Zipfian from the newest record backwards
};
const char* DistributionName(Distribution distribution);
// "uniform", "zipfian" or "latest". Error: kInvalidArgument.
Result<Distribution> ParseDistribution(std::string_view text);

// One thread's choices. The same distribution, record count and seed give the same choices.
class KeyChooser {
 public:
  virtual ~KeyChooser() = default;
  // An index below `record_count`, which never shrinks from call to call and is above 0.
  virtual std::uint64_t Next(std::uint64_t record_count) = 0;
};

// `record_count`: records at the start, above 0. kLatest costs O(record_count) to make.
std::unique_ptr<KeyChooser> NewKeyChooser(Distribution distribution, std::uint64_t record_count,
                                          std::uint64_t seed);

}  // namespace switchback::bench
