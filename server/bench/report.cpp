#include "server/bench/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace switchback::bench {
namespace {

using Json = nlohmann::ordered_json;

// The bare engines that any target was compared with: one column each.
std::vector<std::string> RatioColumns(const Comparison& comparison) {
  std::set<std::string> names;
  for (const TargetFigures& figures : comparison.targets) {
    for (const auto& [name, ratio] : figures.ratio_to) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::string RatioText(const TargetFigures& figures, const std::string& column) {
  const auto ratio = figures.ratio_to.find(column);
  return ratio == figures.ratio_to.end() ? "-" : fmt::format("{:.2f}", ratio->second);
}

std::string ComparisonText(const Comparison& comparison) {
  const std::vector<std::string> columns = RatioColumns(comparison);
  std::string text = fmt::format("\nWorkload {}, {}: {}\n", comparison.workload,
                                 comparison.distribution, comparison.summary);
  text += fmt::format("  {:<12}{:>12}{:>10}{:>10}{:>10}{:>11}{:>9}", "target", "ops/s", "p50 us",
                      "p95 us", "p99 us", "p99.9 us", "CPU us");
  for (const std::string& column : columns) text += fmt::format("{:>10}", "x " + column);
  text += "\n";
  for (const TargetFigures& figures : comparison.targets) {
    text += fmt::format("  {:<12}{:>12}{:>10}{:>10}{:>10}{:>11}{:>9}", figures.target,
                        FormatNumber(figures.operations_per_second),
                        FormatNumber(figures.latency_us_p50), FormatNumber(figures.latency_us_p95),
                        FormatNumber(figures.latency_us_p99), FormatNumber(figures.latency_us_p999),
                        FormatNumber(figures.cpu_us_per_operation));
    for (const std::string& column : columns)
      text += fmt::format("{:>10}", RatioText(figures, column));
    text += "\n";
    if (figures.errors > 0)
      text += fmt::format("    {} failed: {}\n", figures.errors, figures.first_error);
    if (figures.absent > 0) text += fmt::format("    {} records not found\n", figures.absent);
  }
  return text;
}

std::string FigureText(const Figure& figure) {
  std::string text =
      fmt::format("  {:<58}{:>12} {:<10}", figure.name, FormatNumber(figure.value), figure.unit);
  if (figure.goal) {
    text += fmt::format("goal {} {:<9}{}",
                        figure.is_goal_minimum ? ">=" : "<=", FormatNumber(*figure.goal),
                        figure.is_reached() ? "reached" : "MISSED");
  }
  while (text.back() == ' ') text.pop_back();
  text += "\n";
  if (!figure.note.empty()) text += "      " + figure.note + "\n";
  return text;
}

Json TargetJson(const TargetFigures& figures) {
  return Json{{"target", figures.target},
              {"operations_per_second", figures.operations_per_second},
              {"latency_us_p50", figures.latency_us_p50},
              {"latency_us_p95", figures.latency_us_p95},
              {"latency_us_p99", figures.latency_us_p99},
              {"latency_us_p999", figures.latency_us_p999},
              {"cpu_us_per_operation", figures.cpu_us_per_operation},
              {"errors", figures.errors},
              {"first_error", figures.first_error},
              {"absent", figures.absent},
              {"ratio_to", figures.ratio_to},
              {"rounds_operations_per_second", figures.rounds}};
}

Json FigureJson(const Figure& figure) {
  Json json{{"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}};
  if (figure.goal) {
    json["goal"] = *figure.goal;
    json["goal_is"] = figure.is_goal_minimum ? "at least" : "at most";
    json["is_reached"] = figure.is_reached();
  }
  if (!figure.note.empty()) json["note"] = figure.note;
  return json;
}

Json MachineJson(const MachineInfo& machine) {
  return Json{{"cpu", machine.cpu},
              {"cores", machine.cores},
              {"memory_bytes", machine.memory_bytes},
              {"kernel", machine.kernel},
              {"file_system", machine.file_system},
              {"lmdb_version", machine.lmdb_version},
              {"sqlite_version", machine.sqlite_version},
              {"measured_at", machine.measured_at}};
}

}  // namespace

bool Report::AreGoalsReached() const {
  return std::all_of(figures.begin(), figures.end(),
                     [](const Figure& figure) { return figure.is_reached(); });
}

std::string FormatNumber(double value) {
  if (!std::isfinite(value)) return "-";
  if (std::abs(value) < 10) return fmt::format("{:.2f}", value);
  if (std::abs(value) < 100) return fmt::format("{:.1f}", value);
  std::string digits = fmt::format("{:.0f}", std::abs(value));
  for (std::size_t from_end = 3; from_end < digits.size(); from_end += 4)
    digits.insert(digits.size() - from_end, ",");
  return (value < 0 ? "-" : "") + digits;
}

std::string RenderText(const Report& report) {
  const MachineInfo& machine = report.machine;
  std::string text = fmt::format(
      "{}\n{}, {} cores, {:.0f} GiB, {}, {}; LMDB {}, SQLite {}; {}\n", report.title, machine.cpu,
      machine.cores, static_cast<double>(machine.memory_bytes) / (1ULL << 30), machine.kernel,
      machine.file_system, machine.lmdb_version, machine.sqlite_version, machine.measured_at);
  std::string separator;
  for (const auto& [name, value] : report.settings) {
    text += fmt::format("{}{} {}", separator, name, value);
    separator = ", ";
  }
  if (!report.settings.empty()) text += "\n";
  for (const Comparison& comparison : report.comparisons) text += ComparisonText(comparison);
  if (!report.figures.empty()) text += "\n";
  for (const Figure& figure : report.figures) text += FigureText(figure);
  if (!report.remarks.empty()) text += "\n";
  for (const std::string& remark : report.remarks) text += remark + "\n";
  return text;
}

std::string RenderJson(const Report& report) {
  Json json{{"title", report.title}, {"machine", MachineJson(report.machine)}};
  json["settings"] = Json::object();
  for (const auto& [name, value] : report.settings) json["settings"][name] = value;
  json["comparisons"] = Json::array();
  for (const Comparison& comparison : report.comparisons) {
    Json targets = Json::array();
    for (const TargetFigures& figures : comparison.targets) targets.push_back(TargetJson(figures));
    json["comparisons"].push_back({{"workload", comparison.workload},
                                   {"summary", comparison.summary},
                                   {"distribution", comparison.distribution},
                                   {"targets", std::move(targets)}});
  }
  json["figures"] = Json::array();
  for (const Figure& figure : report.figures) json["figures"].push_back(FigureJson(figure));
  json["remarks"] = report.remarks;
  // Error texts may quote bytes of any kind; replacing what is not UTF-8 cannot fail.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace switchback::bench
