// The Prometheus text format 0.0.4, written line by line.
// (https://prometheus.io/docs/instrumenting/exposition_formats/)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "service/histogram.hpp"

namespace switchback {

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

using MetricLabel = std::pair<std::string_view, std::string_view>;
using MetricLabels = std::initializer_list<MetricLabel>;

// One thread at a time. Call Begin once a metric, then its samples: the format wants all samples of
// a name together.
class PrometheusText {
 public:
  // HELP and TYPE of the metric that the following samples belong to. `help` is one line.
  void Begin(std::string_view name, MetricType type, std::string_view help);
  void Sample(double value, MetricLabels labels = {});
  void Sample(std::uint64_t value, MetricLabels labels = {});
  // A histogram in seconds. Bounds are two to each power of two from 512 ns to 34 s: narrow enough
  // to derive p50 to p99.9 within 41 %, few enough to be scraped every second.
  void Sample(const HistogramSnapshot& histogram, MetricLabels labels = {});

  [[nodiscard]] std::string Take() { return std::move(text_); }

 private:
  void Line(std::string_view suffix, MetricLabels labels, std::string_view le,
            std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace switchback
