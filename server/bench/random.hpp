// The generator of every benchmark run: small, fast and the same on every machine, so that a seed
// names a run.
#pragma once

#include <cstdint>

namespace switchback::bench {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection that scatters neighbours.
constexpr std::uint64_t Mix64(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// SplitMix64. One thread at a time; give each thread a seed of its own.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(Mix64(seed + kStep)) {}

  std::uint64_t Next() {
    state_ += kStep;
    return Mix64(state_);
  }
  // Uniform in [0, bound); `bound` > 0. The bias is below bound / 2^64.
  std::uint64_t Below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }
  // Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t state_;
};

}  // namespace switchback::bench
