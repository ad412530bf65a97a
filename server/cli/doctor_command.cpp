#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/doctor.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct DoctorOptions {
  std::string data_dir;
  std::string flags_path;
  bool is_deep = false;
  bool is_json = false;
};

void PrintFindings(const std::vector<Finding>& findings, bool is_healthy) {
  for (const Finding& finding : findings) {
    std::string name = SeverityName(finding.severity);
    name.resize(8, ' ');
    std::cout << name << finding.check << ": " << finding.text << "\n";
    if (!finding.advice.empty()) std::cout << "        -> " << finding.advice << "\n";
  }
  std::cout << (is_healthy ? "healthy\n" : "there are problems\n");
}

void PrintFindingsAsJson(const std::vector<Finding>& findings, bool is_healthy) {
  Json list = Json::array();
  for (const Finding& finding : findings)
    list.push_back({{"severity", SeverityName(finding.severity)},
                    {"check", finding.check},
                    {"text", finding.text},
                    {"advice", finding.advice}});
  PrintJson({{"healthy", is_healthy}, {"findings", std::move(list)}});
}

int RunDoctor(const DoctorOptions& options) {
  const auto findings = Examine(options.data_dir, options.flags_path, options.is_deep);
  const bool is_healthy = std::none_of(findings.begin(), findings.end(), [](const Finding& found) {
    return found.severity == Severity::kProblem;
  });
  if (options.is_json) {
    PrintFindingsAsJson(findings, is_healthy);
  } else {
    PrintFindings(findings, is_healthy);
  }
  return is_healthy ? kExitDone : kExitFailed;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("doctor", "Look for problems in a data directory");
  auto options = std::make_shared<DoctorOptions>();
  command->add_option("--data-dir", options->data_dir, "The data directory")->required();
  command->add_option("--flags", options->flags_path, "The flags file, if serve is given one");
  command->add_flag("--deep", options->is_deep, "Check every page of the SQLite file as well");
  AddJsonOption(*command, options->is_json);
  command->footer(
      "Reads only, with or without a running server. Exit code 0 when healthy, 1 with problems.\n"
      "\n"
      "Example:\n  switchback doctor --data-dir /var/lib/app");
  command->callback([options, &exit_code] { exit_code = RunDoctor(*options); });
}

}  // namespace switchback
