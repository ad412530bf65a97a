// The outcome of a benchmark, and its three forms: text, JSON, a web page.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/bench/machine.hpp"

namespace switchback::bench {

// One target in one workload: medians over the rounds.
struct TargetFigures {
  std::string target;
  double operations_per_second = 0;
  double latency_us_p50 = 0;
  double latency_us_p95 = 0;
  double latency_us_p99 = 0;
  double latency_us_p999 = 0;
  double cpu_us_per_operation = 0;
  std::uint64_t errors = 0;  // of all rounds
  std::uint64_t absent = 0;
  std::string first_error;
  // Throughput over that of another target, the median of the rounds' own ratios: the two ran one
  // after the other, so what disturbed a round disturbed both.
  std::map<std::string, double> ratio_to;
  std::vector<double> rounds;  // operations per second, in order
};

struct Comparison {
  std::string workload;      // "A"
  std::string summary;       // what its operations are
  std::string distribution;  // "zipfian"
  std::vector<TargetFigures> targets;
};

// One measured value, with the goal that it is held against when there is one.
struct Figure {
  std::string name;
  double value = 0;
  std::string unit;  // "us", "records/s", "x" for a ratio
  std::optional<double> goal;
  bool is_goal_minimum = true;  // the value should reach the goal; else it should stay below
  std::string note;

  [[nodiscard]] bool is_reached() const {
    return !goal || (is_goal_minimum ? value >= *goal : value <= *goal);
  }
};

struct Report {
  std::string title;
  MachineInfo machine;
  std::vector<std::pair<std::string, std::string>> settings;  // name and value, in order
  std::vector<Comparison> comparisons;
  std::vector<Figure> figures;
  std::vector<std::string> remarks;  // what a reader must know to judge the figures

  [[nodiscard]] bool AreGoalsReached() const;
};

// For a terminal of 100 columns.
std::string RenderText(const Report& report);
// One object; docs/protocol.md does not promise its members to programs of others.
std::string RenderJson(const Report& report);
// A page that needs nothing but itself, in light and dark; well-formed XML.
std::string RenderHtml(const Report& report);

// 1234567 -> "1,234,567"; below 100 one or two digits after the point.
std::string FormatNumber(double value);

}  // namespace switchback::bench
