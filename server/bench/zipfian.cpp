#include "server/bench/zipfian.hpp"

#include <algorithm>
#include <cmath>

#include "common/check.hpp"

namespace switchback::bench {
namespace {

constexpr double kAlpha = 1.0 / (1.0 - kZipfianConstant);

// The sum of 1 / rank^constant over ranks first+1..last.
double PartialZeta(std::uint64_t first, std::uint64_t last) {
  double sum = 0;
  for (std::uint64_t rank = first + 1; rank <= last; ++rank)
    sum += std::pow(static_cast<double>(rank), -kZipfianConstant);
  return sum;
}

const double kSecondRank = 1.0 + std::pow(0.5, kZipfianConstant);

}  // namespace

Zipfian::Zipfian(std::uint64_t count) : Zipfian(count, PartialZeta(0, count)) {}

Zipfian::Zipfian(std::uint64_t count, double zeta) : count_(count), zeta_(zeta) {
  SB_CHECK(count > 0, "a distribution needs something to choose from");
  Derive();
}

void Zipfian::GrowTo(std::uint64_t count) {
  SB_CHECK(count >= count_, "a Zipfian distribution only grows");
  if (count == count_) return;
  zeta_ += PartialZeta(count_, count);
  count_ = count;
  Derive();
}

void Zipfian::Derive() {
  const double count = static_cast<double>(count_);
  eta_ = count_ <= 2
             ? 0
             : (1.0 - std::pow(2.0 / count, 1.0 - kZipfianConstant)) / (1.0 - kSecondRank / zeta_);
}

std::uint64_t Zipfian::Next(Random& random) const {
  const double unit = random.Unit();
  const double scaled = unit * zeta_;
  if (scaled < 1.0 || count_ == 1) return 0;
  if (scaled < kSecondRank || count_ == 2) return 1;
  const double rank = static_cast<double>(count_) * std::pow(eta_ * unit - eta_ + 1.0, kAlpha);
  // Rounding may reach `count` when `unit` is next to one.
  return std::min(static_cast<std::uint64_t>(rank), count_ - 1);
}

}  // namespace switchback::bench
