#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/status_table.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

int ShowStatus(const ServerOptions& options) {
  auto api = ServerApi::Find(options);
  if (!api) return ReportError(api.error(), options.is_json);
  auto status = api->Get("/v1/status");
  if (!status) return ReportError(status.error(), options.is_json);
  if (options.is_json) {
    PrintJson(*status);
  } else {
    std::cout << StatusTable(*status);
  }
  return kExitDone;
}

std::string Figure(double us) {
  return us > 0 ? FormatMicroseconds(us) : "-";
}

// Legacy beside unified, operation by operation.
int ShowComparison(const ServerOptions& options) {
  auto api = ServerApi::Find(options);
  if (!api) return ReportError(api.error(), options.is_json);
  auto comparison = api->Get("/v1/metrics/comparison");
  if (!comparison) return ReportError(comparison.error(), options.is_json);
  if (options.is_json) {
    PrintJson(*comparison);
    return kExitDone;
  }
  using Json = nlohmann::ordered_json;
  const Json of_late = comparison->value("of_late", Json::object());
  std::vector<std::vector<std::string>> rows;
  const Json operations = of_late.value("operations", Json::object());
  for (const auto& [operation, roles] : operations.items()) {
    for (const char* role : {"legacy", "unified"}) {
      const Json figures = roles.value(role, Json::object());
      rows.push_back({operation, role, fmt::format("{:.1f}", figures.value("per_second", 0.0)),
                      fmt::format("{:.3f} %", figures.value("error_percent", 0.0)),
                      Figure(figures.value("p50_us", 0.0)), Figure(figures.value("p95_us", 0.0)),
                      Figure(figures.value("p99_us", 0.0)), Figure(figures.value("p999_us", 0.0))});
    }
    const Json worse = roles.value("degradation", Json::object());
    rows.push_back({"", "difference", "", fmt::format("{:+.3f}", worse.value("error_points", 0.0)),
                    "", "",
                    fmt::format("{:+.0f} us ({:+.0f} %)", worse.value("p99_us", 0.0),
                                worse.value("p99_percent", 0.0)),
                    ""});
  }
  std::cout << fmt::format("the last {:.0f} s, {} % of keys to unified\n",
                           of_late.value("seconds", 0.0),
                           FormatPercent(of_late.value("effective_percentage", 0.0)))
            << TextTable(
                   {"operation", "role", "per second", "errors", "p50", "p95", "p99", "p99.9"},
                   rows);
  return kExitDone;
}

}  // namespace

void AddStatusCommand(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("status", "Show stage, routing, both stores and the main figures");
  auto options = std::make_shared<ServerOptions>();
  auto is_comparison = std::make_shared<bool>(false);
  options->AddTo(*command);
  command->add_flag("--compare", *is_comparison, "Legacy beside unified, of late");
  command->footer(
      "Examples:\n  switchback status --data-dir /var/lib/app\n"
      "  switchback status --compare");
  command->callback([options, is_comparison, &exit_code] {
    exit_code = *is_comparison ? ShowComparison(*options) : ShowStatus(*options);
  });
}

}  // namespace switchback
