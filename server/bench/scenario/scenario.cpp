#include "server/bench/scenario/scenario.hpp"

#include <algorithm>
#include <filesystem>

#include "common/check.hpp"

namespace switchback::bench {

const std::vector<Scenario>& AllScenarios() {
  static const std::vector<Scenario> kScenarios{
      {"reads", "routed reads against those of the bare engines", RunReads},
      {"writes", "durable writes of 16 writers against the disk and both engines", RunWrites},
      {"sustained", "writes at full speed for minutes, then at half of that rate", RunSustained},
      {"backfill", "the first fill against the best plain copying loop", RunBackfill},
      {"flip", "from the rename of the flags file to the first changed answer", RunFlip},
      {"backup", "a verified backup of both stores against the engines' own copiers", RunBackup},
      {"restore", "restore, undo and point in time, and how long writers wait for it", RunRestore},
      {"recovery", "from kill -9 to ready with a full memtable to replay", RunRecovery},
  };
  return kScenarios;
}

const Scenario* FindScenario(std::string_view name) {
  const auto& all = AllScenarios();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Scenario& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

BenchOptions ScenarioOptions::StoresFor(std::string_view targets) const {
  BenchOptions stores;
  auto names = ParseTargets(targets);
  SB_CHECK(names.has_value(), "a scenario names targets that there are");
  stores.targets = std::move(*names);
  stores.record_count = record_count;
  stores.load.value_bytes = value_bytes;
  stores.sqlite_page_bytes = sqlite_page_bytes;
  stores.data_directory = data_directory;
  return stores;
}

Result<Report> RunScenarios(const std::vector<const Scenario*>& scenarios,
                            const ScenarioOptions& options, Progress& progress) {
  Report report;
  report.machine = DescribeMachine(options.data_directory);
  report.settings = {
      {"records", FormatNumber(static_cast<double>(options.record_count))},
      {"value bytes", std::to_string(options.value_bytes)},
      {"bare SQLite pages", std::to_string(options.StoresFor("sqlite").BareTuning().page_bytes)},
      {"turn", std::to_string(options.turn)},
      {"seed", std::to_string(options.seed)}};
  for (const Scenario* scenario : scenarios) {
    const Status outcome = scenario->run(options, report, progress);
    if (!outcome) return Fail(WithContext(outcome.error(), scenario->name));
    std::error_code ignored;  // what is left over goes with the directory
    for (const auto& entry : std::filesystem::directory_iterator(options.data_directory, ignored))
      std::filesystem::remove_all(entry.path(), ignored);
  }
  if (IsMemoryFileSystem(report.machine))
    report.remarks.emplace_back("The data lay in memory: durable writes are not what they seem.");
  return report;
}

}  // namespace switchback::bench
