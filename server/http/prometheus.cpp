#include "server/http/prometheus.hpp"

#include <fmt/format.h>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kBoundNsLeast = 512;
constexpr std::uint64_t kBoundNsMost = 1ull << 35;

const char* TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "untyped";
}

std::string EscapeLabel(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

// A bucket of the histogram ends at this bound, and it is 1.5 or 2 times a power of two.
bool IsReportedBound(std::size_t bucket) {
  const std::size_t sub_bucket = bucket % HistogramSnapshot::kSubBuckets;
  const std::uint64_t bound_ns = HistogramSnapshot::UpperBoundNs(bucket);
  return (sub_bucket == 3 || sub_bucket == 7) && bound_ns >= kBoundNsLeast &&
         bound_ns <= kBoundNsMost;
}

}  // namespace

void PrometheusText::Begin(std::string_view name, MetricType type, std::string_view help) {
  SB_CHECK(help.find('\n') == std::string_view::npos, "the help of a metric is one line");
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, TypeName(type));
}

void PrometheusText::Line(std::string_view suffix, MetricLabels labels, std::string_view le,
                          std::string_view value) {
  SB_CHECK(!name_.empty(), "a sample belongs to a metric");
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  for (const MetricLabel& label : labels) {
    text_ += fmt::format("{}{}=\"{}\"", separator, label.first, EscapeLabel(label.second));
    separator = ',';
  }
  if (!le.empty()) {
    text_ += fmt::format("{}le=\"{}\"", separator, le);
    separator = ',';
  }
  if (separator == ',') text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

void PrometheusText::Sample(double value, MetricLabels labels) {
  Line("", labels, "", fmt::format("{}", value));
}

void PrometheusText::Sample(std::uint64_t value, MetricLabels labels) {
  Line("", labels, "", fmt::format("{}", value));
}

void PrometheusText::Sample(const HistogramSnapshot& histogram, MetricLabels labels) {
  std::uint64_t count = 0;
  for (std::size_t bucket = 0; bucket < HistogramSnapshot::kBucketCount; ++bucket) {
    count += histogram.counts[bucket];
    if (!IsReportedBound(bucket)) continue;
    const double bound = static_cast<double>(HistogramSnapshot::UpperBoundNs(bucket)) / 1e9;
    Line("_bucket", labels, fmt::format("{}", bound), fmt::format("{}", count));
  }
  Line("_bucket", labels, "+Inf", fmt::format("{}", count));
  Line("_sum", labels, "", fmt::format("{}", static_cast<double>(histogram.total_ns) / 1e9));
  Line("_count", labels, "", fmt::format("{}", count));
}

}  // namespace switchback
