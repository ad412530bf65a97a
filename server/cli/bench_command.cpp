#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "common/file.hpp"
#include "common/log.hpp"
#include "server/bench/comparison.hpp"
#include "server/bench/data_directory.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/errors.hpp"

namespace switchback {
namespace {

constexpr const char* kFooter =
    "Compares the service with the bare engines, in interleaved rounds on the same records; plain\n"
    "`switchback bench` takes about two minutes. A scenario measures one of the figures that the\n"
    "README gives, with its goal. Targets: legacy, unified, N%, lmdb, sqlite, lmdb+sqlite.\n"
    "\n"
    "Examples:\n"
    "  switchback bench --quick\n"
    "  switchback bench --workload A,C --distribution zipfian,uniform --threads 4 --html out.html\n"
    "  switchback bench --workload W --threads 16 --targets legacy,lmdb+sqlite\n"
    "  switchback bench --workload A --rate 5000 --targets legacy,unified\n"
    "  switchback bench --scenario reads --check";

// As they stand on the command line; durations and lists are checked when the command runs.
struct BenchArguments {
  std::string scenario;
  std::string workloads = "A,B,C,D,E,F";
  std::string distributions = "zipfian";
  std::string targets = "legacy,unified,25%,lmdb,sqlite";
  std::string duration;
  std::string warmup = "200ms";
  std::string data_dir;
  std::string ack = "log";
  std::string json_path;
  std::string html_path;
  std::uint64_t records = 1'000'000;
  std::size_t value_bytes = 100;
  unsigned threads = 2;
  unsigned writers = 16;
  unsigned rounds = 0;
  unsigned batch = 1;
  unsigned turn = 16;
  double rate = 0;
  int sqlite_page_bytes = 0;
  std::uint64_t seed = 1;
  bool is_json = false;
  bool is_quick = false;
  bool is_check = false;
};

// Options that were given win over what --quick means.
void ApplyQuick(BenchArguments& arguments, const CLI::App& bench) {
  if (!arguments.is_quick) return;
  if (bench.count("--records") == 0) arguments.records = 100'000;
  if (bench.count("--workload") == 0) arguments.workloads = "A,C";
  if (bench.count("--warmup") == 0) arguments.warmup = "50ms";
}

Result<bench::BenchOptions> ComparisonOptions(const BenchArguments& arguments) {
  bench::BenchOptions options;
  auto workloads = bench::ParseWorkloads(arguments.workloads);
  if (!workloads) return Fail(workloads.error());
  options.workloads = std::move(*workloads);
  auto distributions = bench::ParseDistributions(arguments.distributions);
  if (!distributions) return Fail(distributions.error());
  options.distributions = std::move(*distributions);
  auto targets = bench::ParseTargets(arguments.targets);
  if (!targets) return Fail(targets.error());
  options.targets = std::move(*targets);
  const std::string usual = arguments.is_quick ? "300ms" : "1s";
  auto duration = bench::ParseDuration(arguments.duration.empty() ? usual : arguments.duration);
  if (!duration) return Fail(duration.error());
  options.duration = *duration;
  auto warmup = bench::ParseDuration(arguments.warmup);
  if (!warmup) return Fail(warmup.error());
  options.warmup = *warmup;
  options.record_count = arguments.records;
  options.rounds = arguments.rounds > 0 ? arguments.rounds : (arguments.is_quick ? 2 : 3);
  options.acks_stores = arguments.ack == "stores";
  options.load.value_bytes = arguments.value_bytes;
  options.load.threads = arguments.threads;
  options.load.rate = arguments.rate;
  options.load.batch = arguments.batch;
  options.load.turn = arguments.turn;
  options.load.seed = arguments.seed;
  options.sqlite_page_bytes = arguments.sqlite_page_bytes;
  return options;
}

Result<bench::ScenarioOptions> ScenarioOptionsOf(const BenchArguments& arguments) {
  bench::ScenarioOptions options;
  if (!arguments.duration.empty()) {
    auto duration = bench::ParseDuration(arguments.duration);
    if (!duration) return Fail(duration.error());
    options.duration = *duration;
  }
  options.record_count = arguments.records;
  options.value_bytes = arguments.value_bytes;
  options.rounds = arguments.rounds;
  options.writers = arguments.writers;
  options.threads = arguments.threads;
  options.turn = arguments.turn;
  options.seed = arguments.seed;
  options.sqlite_page_bytes = arguments.sqlite_page_bytes;
  options.is_quick = arguments.is_quick;
  return options;
}

Result<bench::Report> MeasureScenarios(const BenchArguments& arguments,
                                       const std::string& directory, bench::Progress& progress) {
  auto options = ScenarioOptionsOf(arguments);
  if (!options) return Fail(options.error());
  options->data_directory = directory;
  std::vector<const bench::Scenario*> scenarios;
  for (const bench::Scenario& scenario : bench::AllScenarios()) {
    if (arguments.scenario == "all" || arguments.scenario == scenario.name)
      scenarios.push_back(&scenario);
  }
  if (scenarios.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "there is no scenario '" + arguments.scenario + "'; see `switchback bench --help`");
  }
  auto report = bench::RunScenarios(scenarios, *options, progress);
  if (report) report->title = "Switchback, scenario " + arguments.scenario;
  return report;
}

Result<bench::Report> MeasureWorkloads(const BenchArguments& arguments,
                                       const std::string& directory, bench::Progress& progress) {
  auto options = ComparisonOptions(arguments);
  if (!options) return Fail(options.error());
  options->data_directory = directory;
  auto report = bench::RunComparison(*options, progress);
  if (report) report->title = "Switchback, YCSB core workloads";
  return report;
}

Status Publish(const bench::Report& report, const BenchArguments& arguments) {
  if (!arguments.html_path.empty())
    SB_RETURN_IF_ERROR(WriteFileAtomically(arguments.html_path, bench::RenderHtml(report)));
  const bool is_json_on_stdout = arguments.is_json && arguments.json_path.empty();
  if (arguments.is_json && !is_json_on_stdout)
    SB_RETURN_IF_ERROR(WriteFileAtomically(arguments.json_path, bench::RenderJson(report)));
  std::cout << (is_json_on_stdout ? bench::RenderJson(report) : bench::RenderText(report))
            << std::flush;
  return {};
}

Result<bench::Report> Measure(const BenchArguments& arguments) {
  // The service says that unified is not filled yet, each time before it gets filled.
  SetLogLevel(LogLevel::kError);
  auto directory = bench::DataDirectory::Create(arguments.data_dir);
  if (!directory) return Fail(directory.error());
  bench::StderrProgress progress;
  auto report = arguments.scenario.empty()
                    ? MeasureWorkloads(arguments, directory->path(), progress)
                    : MeasureScenarios(arguments, directory->path(), progress);
  progress.End();
  return report;
}

int RunBench(const BenchArguments& arguments) {
  const bool is_json_on_stdout = arguments.is_json && arguments.json_path.empty();
  const auto report = Measure(arguments);
  if (!report) return ReportError(report.error(), is_json_on_stdout);
  if (const Status published = Publish(*report, arguments); !published)
    return ReportError(published.error(), is_json_on_stdout);
  return arguments.is_check && !report->AreGoalsReached() ? kExitFailed : kExitDone;
}

void AddLoadOptions(CLI::App& bench, BenchArguments& arguments) {
  bench
      .add_option("--workload", arguments.workloads,
                  "YCSB core workloads A to F, or W (updates only)")
      ->capture_default_str();
  bench
      .add_option("--distribution", arguments.distributions,
                  "zipfian, uniform, latest, or several (D is always latest)")
      ->capture_default_str();
  bench.add_option("--targets", arguments.targets, "What to compare, in this order")
      ->capture_default_str();
  bench.add_option("--records", arguments.records, "Records that are loaded")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  bench.add_option("--value-bytes", arguments.value_bytes, "Size of a value; keys have 16 bytes")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20))
      ->capture_default_str();
  bench.add_option("--threads", arguments.threads, "Clients, each a thread")
      ->check(CLI::Range(1U, 1024U))
      ->capture_default_str();
  bench.add_option("--batch", arguments.batch, "Updates and inserts in one transaction")
      ->check(CLI::Range(1U, 100'000U))
      ->capture_default_str();
  bench.add_option("--turn", arguments.turn, "Operations that share a read snapshot")
      ->check(CLI::Range(1U, 100'000U))
      ->capture_default_str();
  bench
      .add_option("--rate", arguments.rate,
                  "Operations per second in all; latency then counts from when each was due "
                  "(0 = as fast as it goes)")
      ->check(CLI::NonNegativeNumber);
  bench
      .add_option("--sqlite-page-bytes", arguments.sqlite_page_bytes,
                  "Page size of bare SQLite (what suits the value size best: 4096, or 8192 for "
                  "values over 900 bytes)")
      ->check(CLI::IsMember({512, 1024, 2048, 4096, 8192, 16384, 32768, 65536}));
  bench.add_option("--ack", arguments.ack, "When the service answers a write")
      ->check(CLI::IsMember({"log", "stores"}))
      ->capture_default_str();
}

void AddRunOptions(CLI::App& bench, BenchArguments& arguments) {
  bench.add_option("--scenario", arguments.scenario,
                   "Measure figures instead: reads, writes, sustained (300 s), backfill, flip, "
                   "backup, restore, recovery, all");
  bench.add_option("--writers", arguments.writers, "Scenarios: writes under way at once")
      ->check(CLI::Range(1U, 4096U))
      ->capture_default_str();
  bench.add_option("--duration", arguments.duration,
                   "Of one run: 10s, 300ms, 5m (1s; a scenario has its own)");
  bench.add_option("--warmup", arguments.warmup, "Before each run, not measured")
      ->capture_default_str();
  bench.add_option("--rounds", arguments.rounds, "Medians are over these (3)");
  bench.add_option("--seed", arguments.seed, "The same seed chooses the same keys")
      ->capture_default_str();
  bench.add_option("--data-dir", arguments.data_dir,
                   "Where to make a directory for the stores, removed at the end ($TMPDIR or "
                   "/var/tmp)");
  bench.add_flag("--quick", arguments.is_quick, "Some seconds only: fewer records, short runs");
  bench.add_flag("--check", arguments.is_check, "Exit code 1 when a goal is missed");
  bench.add_option("--html", arguments.html_path, "Write a page with charts to this file");
}

}  // namespace

void AddBenchCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Measure the service against the bare engines");
  command->footer(kFooter);
  auto arguments = std::make_shared<BenchArguments>();
  AddLoadOptions(*command, *arguments);
  AddRunOptions(*command, *arguments);
  CLI::Option* json = command
                          ->add_option("--json", arguments->json_path,
                                       "Write JSON to this file, or to stdout instead of the table")
                          ->expected(0, 1);
  command->callback([arguments, command, json, &exit_code] {
    arguments->is_json = json->count() > 0;
    ApplyQuick(*arguments, *command);
    exit_code = RunBench(*arguments);
  });
}

}  // namespace switchback
