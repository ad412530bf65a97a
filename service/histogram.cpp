#include "service/histogram.hpp"

#include <cmath>
#include <numeric>

namespace switchback {

std::uint64_t HistogramSnapshot::Count() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::uint64_t HistogramSnapshot::QuantileNs(double quantile) const {
  const std::uint64_t count = Count();
  if (count == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(count)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket) {
    seen += counts[bucket];
    if (seen >= rank && seen > 0) return UpperBoundNs(bucket);
  }
  return UpperBoundNs(kBucketCount - 1);
}

HistogramSnapshot& HistogramSnapshot::operator+=(const HistogramSnapshot& other) {
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
    counts[bucket] += other.counts[bucket];
  total_ns += other.total_ns;
  return *this;
}

HistogramSnapshot& HistogramSnapshot::operator-=(const HistogramSnapshot& earlier) {
  for (std::size_t bucket = 0; bucket < kBucketCount; ++bucket)
    counts[bucket] -= earlier.counts[bucket];
  total_ns -= earlier.total_ns;
  return *this;
}

void Histogram::AddTo(HistogramSnapshot& sum) const {
  for (std::size_t bucket = 0; bucket < HistogramSnapshot::kBucketCount; ++bucket) {
    sum.counts[bucket] += counts_[bucket].load(std::memory_order_relaxed);
  }
  sum.total_ns += total_ns_.load(std::memory_order_relaxed);
}

}  // namespace switchback
