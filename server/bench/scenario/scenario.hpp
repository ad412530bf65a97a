// Measurements of the figures that Switchback promises, each with its goal. A scenario loads what
// it needs, measures, and adds figures to a report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/bench/options.hpp"
#include "server/bench/progress.hpp"
#include "server/bench/report.hpp"

namespace switchback::bench {

struct ScenarioOptions {
  std::uint64_t record_count = 1'000'000;
  std::size_t value_bytes = 100;
  Duration duration{0};   // of one measurement; 0 = the scenario's own
  unsigned rounds = 0;    // 0 = the scenario's own
  unsigned writers = 16;  // writes under way at once
  unsigned threads = 2;   // of the load around a flip
  unsigned turn = 16;     // reads that share a snapshot
  std::uint64_t seed = 1;
  bool is_quick = false;      // shorter, and less exact
  int sqlite_page_bytes = 0;  // of the bare file; 0 = what suits the value size best
  std::string data_directory;

  // For the stores that `targets` names; the load keeps its defaults.
  [[nodiscard]] BenchOptions StoresFor(std::string_view targets) const;
  [[nodiscard]] Duration DurationOr(Duration usual, Duration quick) const {
    if (duration.count() > 0) return duration;
    return is_quick ? quick : usual;
  }
  [[nodiscard]] unsigned RoundsOr(unsigned usual, unsigned quick) const {
    if (rounds > 0) return rounds;
    return is_quick ? quick : usual;
  }
};

struct Scenario {
  const char* name;
  const char* summary;
  // Blocks until measured. `options.data_directory` is empty before; the caller clears it after.
  Status (*run)(const ScenarioOptions& options, Report& report, Progress& progress);
};

Status RunReads(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunWrites(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunSustained(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunBackfill(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunFlip(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunBackup(const ScenarioOptions& options, Report& report, Progress& progress);
Status RunRestore(const ScenarioOptions& options, Report& report, Progress& progress);
// Forks: the process must have no threads but the caller's.
Status RunRecovery(const ScenarioOptions& options, Report& report, Progress& progress);

const std::vector<Scenario>& AllScenarios();
// nullptr when there is none of that name.
const Scenario* FindScenario(std::string_view name);

// Runs them one after another and clears the data directory in between. The report lacks its title.
Result<Report> RunScenarios(const std::vector<const Scenario*>& scenarios,
                            const ScenarioOptions& options, Progress& progress);

}  // namespace switchback::bench
