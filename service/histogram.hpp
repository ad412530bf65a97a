// Latencies, log-linear: eight buckets to each power of two of nanoseconds, so a bucket is at
// most 12.5 % wide (the layout of HdrHistogram, coarser). One writer, any number of readers;
// recording is two plain stores.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace switchback {

// A copy to compute with.
struct HistogramSnapshot {
  static constexpr std::size_t kSubBuckets = 8;
  static constexpr std::size_t kBucketCount = 36 * kSubBuckets;  // up to 2^38 ns = 275 s

  std::array<std::uint64_t, kBucketCount> counts{};
  std::uint64_t total_ns = 0;

  // Index of the bucket that holds `ns`; the last one holds everything above.
  static constexpr std::size_t BucketOf(std::uint64_t ns) {
    if (ns < kSubBuckets) return static_cast<std::size_t>(ns);
    const auto exponent = static_cast<std::size_t>(std::bit_width(ns)) - 4;  // 0 for 8..15
    const std::size_t bucket =
        (exponent + 1) * kSubBuckets + static_cast<std::size_t>((ns >> exponent) - kSubBuckets);
    return bucket < kBucketCount ? bucket : kBucketCount - 1;
  }
  // Largest nanosecond value of the bucket, plus one.
  static constexpr std::uint64_t UpperBoundNs(std::size_t bucket) {
    if (bucket < kSubBuckets) return bucket + 1;
    const std::size_t exponent = bucket / kSubBuckets - 1;
    return (static_cast<std::uint64_t>(bucket % kSubBuckets + kSubBuckets) + 1) << exponent;
  }

  [[nodiscard]] std::uint64_t Count() const;
  // Upper bound of the bucket in which the quantile (0..1) lies; 0 when empty.
  [[nodiscard]] std::uint64_t QuantileNs(double quantile) const;
  HistogramSnapshot& operator+=(const HistogramSnapshot& other);
  HistogramSnapshot& operator-=(const HistogramSnapshot& earlier);
};

class Histogram {
 public:
  void Record(std::chrono::nanoseconds latency) {
    const auto ns = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
    Add(counts_[HistogramSnapshot::BucketOf(ns)], 1);
    Add(total_ns_, ns);
  }
  void AddTo(HistogramSnapshot& sum) const;

 private:
  static void Add(std::atomic<std::uint64_t>& counter,
                  std::uint64_t amount) {  // one writer: no locked instruction needed
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, HistogramSnapshot::kBucketCount> counts_{};
  std::atomic<std::uint64_t> total_ns_{0};
};

}  // namespace switchback
