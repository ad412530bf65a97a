// Zipf-distributed numbers after Gray et al., "Quickly generating billion-record synthetic
// databases" (SIGMOD 1994), as YCSB draws them.
#pragma once

#include <cstdint>

#include "server/bench/random.hpp"

namespace switchback::bench {

// YCSB's ZIPFIAN_CONSTANT: about 80 % of the accesses go to 20 % of the records.
inline constexpr double kZipfianConstant = 0.99;

// Draws 0..count-1, 0 the most popular. One thread at a time.
class Zipfian {
 public:
  // Costs O(count): the sum of 1 / i^0.99 over all ranks.
  explicit Zipfian(std::uint64_t count);
  // For a `count` whose sum is known already.
  Zipfian(std::uint64_t count, double zeta);

  // Makes the distribution reach to `count`, which is not below the present one. Costs O(growth).
  void GrowTo(std::uint64_t count);
  std::uint64_t Next(Random& random) const;

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double zeta() const { return zeta_; }

 private:
  void Derive();

  std::uint64_t count_;
  double zeta_;
  double eta_ = 0;
};

}  // namespace switchback::bench
