// Evidence that a rate has become too high, gathered operation by operation: a one-sided cumulative
// sum of log-likelihood ratios (Page, 1954) between a rate that is tolerated and one that is not.
// Bad operations add to it, good ones wear it down, so it needs no window and no minimum sample.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace switchback {

struct CusumRates {
  double tolerated = 0;  // p0: of bad operations among all, 0..1
  double caught = 0;     // p1 > p0: a rate that is to be found fast

  friend bool operator==(const CusumRates&, const CusumRates&) = default;
};

class Cusum {
 public:
  // It has tripped at `limit`; one step adds at most limit / `steps_min`, so that a single burst
  // does not trip it alone.
  Cusum(double limit, unsigned steps_min) : limit_(limit), step_max_(limit / steps_min) {}

  // `bad` of `count` operations were bad. The rates may differ from step to step.
  void Add(std::uint64_t count, std::uint64_t bad, const CusumRates& rates) {
    const auto k = static_cast<double>(std::min(bad, count));
    const double good = static_cast<double>(count) - k;
    const double step = k * std::log(rates.caught / rates.tolerated) -
                        good * std::log((1 - rates.tolerated) / (1 - rates.caught));
    sum_ = std::max(0.0, sum_ + std::min(step, step_max_));
  }
  void Reset() { sum_ = 0; }

  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] double limit() const { return limit_; }
  [[nodiscard]] bool has_tripped() const { return sum_ >= limit_; }

 private:
  double limit_;
  double step_max_;
  double sum_ = 0;
};

}  // namespace switchback
