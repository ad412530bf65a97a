#include <fmt/core.h>

#include <set>

#include "server/bench/bar_chart.hpp"
#include "server/bench/report.hpp"

namespace switchback::bench {
namespace {

// Colour-blind-safe pairs (Okabe and Ito), checked for contrast on both backgrounds.
constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>%TITLE%</title>
<style>
:root { --ink: #1b1f24; --faint: #59636e; --paper: #fff; --line: #d1d9e0; --good: #1a7f37;
  --bad: #b3261e; --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #8a5aa8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9198a1; --paper: #0d1117;
  --line: #3d444d; --good: #3fb950; --bad: #ff7b72; --s0: #56b4e9; --s1: #f0a04b; --s2: #2fc79a;
  --s3: #c59be0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p.faint, caption, dt { color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dd { margin: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--faint); font-size: .9rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
svg text.label { text-anchor: end; }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, td.text { text-align: left; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
</style>
</head>
<body>
)";

std::string Head(const std::string& title) {
  std::string head = kHead;
  const std::string mark = "%TITLE%";
  return head.replace(head.find(mark), mark.size(), EscapeXml(title));
}

std::string Definition(const std::string& name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", EscapeXml(name), EscapeXml(value));
}

std::string Circumstances(const Report& report) {
  const MachineInfo& machine = report.machine;
  std::string html = "<dl>\n";
  html +=
      Definition("machine", fmt::format("{}, {} cores, {:.0f} GiB", machine.cpu, machine.cores,
                                        static_cast<double>(machine.memory_bytes) / (1ULL << 30)));
  html += Definition("system", machine.kernel + ", data on " + machine.file_system);
  html +=
      Definition("engines", "LMDB " + machine.lmdb_version + ", SQLite " + machine.sqlite_version);
  html += Definition("measured at", machine.measured_at);
  for (const auto& [name, value] : report.settings) html += Definition(name, value);
  return html + "</dl>\n";
}

std::string ThroughputChart(const Comparison& comparison) {
  BarChart chart{"Throughput in operations per second, workload " + comparison.workload, false, {}};
  for (const TargetFigures& figures : comparison.targets) {
    chart.bars.push_back({figures.target, FormatNumber(figures.operations_per_second),
                          figures.operations_per_second, 0});
  }
  return "<figure><figcaption>operations per second</figcaption>\n" + RenderSvg(chart) +
         "</figure>\n";
}

std::string LatencyChart(const Comparison& comparison) {
  BarChart chart{"Latency in microseconds, workload " + comparison.workload, true, {}};
  for (const TargetFigures& figures : comparison.targets) {
    const auto add = [&](const char* name, double value, int series) {
      chart.bars.push_back({figures.target + " " + name, FormatNumber(value), value, series});
    };
    add("p50", figures.latency_us_p50, 0);
    add("p95", figures.latency_us_p95, 1);
    add("p99", figures.latency_us_p99, 2);
    add("p99.9", figures.latency_us_p999, 3);
  }
  return "<figure><figcaption>latency in microseconds, logarithmic</figcaption>\n" +
         RenderSvg(chart) + "</figure>\n";
}

std::string Cell(const std::string& text) {
  return "<td>" + EscapeXml(text) + "</td>";
}

std::string ComparisonTable(const Comparison& comparison) {
  std::set<std::string> columns;
  for (const TargetFigures& figures : comparison.targets) {
    for (const auto& [name, ratio] : figures.ratio_to) columns.insert(name);
  }
  std::string html =
      "<div class=\"scroll\"><table>\n<thead><tr><th>target</th><th>ops/s</th><th>p50 us</th>"
      "<th>p95 us</th><th>p99 us</th><th>p99.9 us</th><th>CPU us/op</th>";
  for (const std::string& column : columns) html += "<th>x " + EscapeXml(column) + "</th>";
  html += "<th>failed</th></tr></thead>\n<tbody>\n";
  for (const TargetFigures& figures : comparison.targets) {
    html += "<tr>" + Cell(figures.target);
    for (const double value :
         {figures.operations_per_second, figures.latency_us_p50, figures.latency_us_p95,
          figures.latency_us_p99, figures.latency_us_p999, figures.cpu_us_per_operation})
      html += Cell(FormatNumber(value));
    for (const std::string& column : columns) {
      const auto ratio = figures.ratio_to.find(column);
      html += Cell(ratio == figures.ratio_to.end() ? "" : fmt::format("{:.2f}", ratio->second));
    }
    html += Cell(fmt::format("{}", figures.errors)) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string FigureTable(const std::vector<Figure>& figures) {
  std::string html =
      "<h2>Figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>figure</th>"
      "<th>measured</th><th>unit</th><th>goal</th><th>outcome</th></tr></thead>\n<tbody>\n";
  for (const Figure& figure : figures) {
    const std::string name =
        figure.note.empty() ? figure.name : figure.name + " (" + figure.note + ")";
    html += "<tr>" + Cell(name) + Cell(FormatNumber(figure.value)) + Cell(figure.unit);
    if (!figure.goal) {
      html += "<td></td><td></td></tr>\n";
      continue;
    }
    html += Cell((figure.is_goal_minimum ? "at least " : "at most ") + FormatNumber(*figure.goal));
    html += figure.is_reached() ? "<td class=\"good\">reached</td></tr>\n"
                                : "<td class=\"bad\">missed</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string RenderHtml(const Report& report) {
  std::string html = Head(report.title);
  html += "<h1>" + EscapeXml(report.title) + "</h1>\n" + Circumstances(report);
  if (!report.figures.empty()) html += FigureTable(report.figures);
  for (const Comparison& comparison : report.comparisons) {
    html += fmt::format("<h2>Workload {}, {}</h2>\n<p class=\"faint\">{}</p>\n",
                        EscapeXml(comparison.workload), EscapeXml(comparison.distribution),
                        EscapeXml(comparison.summary));
    html += "<div class=\"charts\">\n" + ThroughputChart(comparison) + LatencyChart(comparison) +
            "</div>\n" + ComparisonTable(comparison);
  }
  for (const std::string& remark : report.remarks)
    html += "<p class=\"faint\">" + EscapeXml(remark) + "</p>\n";
  return html + "</body>\n</html>\n";
}

}  // namespace switchback::bench
