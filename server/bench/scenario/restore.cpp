// Going back while clients write: how long it takes, and how long a write waits for it.
#include "rollback/restore.hpp"

#include <fmt/core.h>

#include <thread>

#include "server/bench/async_writers.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/scenario/stage_times.hpp"
#include "server/bench/service_target.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

constexpr double kReplayGoal = 200'000;
constexpr double kPauseGoalMs = 50;
constexpr double kBuildGoalMbPerSecond = 250;  // 2 GB in 8 s

class RestoreScenario {
 public:
  RestoreScenario(ServiceHost& host, LogArchive& archive, const ScenarioOptions& options,
                  Report& report, Progress& progress)
      : host_(host), archive_(archive), options_(options), report_(report), progress_(progress) {}

  Status Run() {
    auto directory = BackupDirectory::Open(options_.data_directory + "/backups");
    if (!directory) return Fail(directory.error());
    directory_ = std::make_unique<BackupDirectory>(*std::move(directory));
    SB_RETURN_IF_ERROR(progress_.Say("restore: a backup, and writes after it"));
    BackupProgress progress(SystemClock(), 0);
    auto made = WriteBackup(host_.service(), *directory_, NewBackupId(SystemClock().WallNow()), {},
                            SystemClock(), progress);
    if (!made) return Fail(made.error());
    backup_ = *std::move(made);
    SB_RETURN_IF_ERROR(MeasureReplay());
    return MeasureUnderLoad();
  }

 private:
  struct Outcome {
    double seconds = 0;
    std::map<std::string, double> stages;
  };
  Result<Outcome> Restore(RestoreRequest request);
  Status MeasureReplay();
  Status MeasureUnderLoad();
  Status GoBackAndForth(LoadGenerator& load, int window);

  ServiceHost& host_;
  LogArchive& archive_;
  const ScenarioOptions& options_;
  Report& report_;
  Progress& progress_;
  std::unique_ptr<BackupDirectory> directory_;
  BackupManifest backup_;
  std::vector<double> restores_;
};

Result<RestoreScenario::Outcome> RestoreScenario::Restore(RestoreRequest request) {
  request.is_without_safety_backup = true;
  RestoreOptions options;
  options.archive = &archive_;
  switchback::Restore restore(host_.service(), *directory_, SystemClock(), options);
  BackupProgress progress(SystemClock(), 0);
  StageTimes stages(progress);
  const auto begun = std::chrono::steady_clock::now();
  SB_RETURN_IF_ERROR(restore.Run(request, {}, [](const std::string&) {}, progress));
  Outcome outcome;
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  outcome.stages = stages.Stop();
  return outcome;
}

Status RestoreScenario::MeasureReplay() {
  const AsyncPlan plan{options_.writers, options_.record_count, options_.value_bytes, 0,
                       options_.seed};
  const RunResult written = RunAsyncWrites(
      host_, plan, {}, options_.DurationOr(std::chrono::seconds(10), std::chrono::seconds(2)));
  const std::uint64_t until = host_.service().GetStatus().last_sequence;
  SB_RETURN_IF_ERROR(host_.Settle());
  SB_RETURN_IF_ERROR(progress_.Say("restore: to a moment"));
  auto outcome = Restore({.to_sequence = until, .id = backup_.id});
  if (!outcome) return Fail(outcome.error());
  const double megabytes = static_cast<double>(backup_.bytes()) / 1e6;
  report_.figures.push_back({"restore: both stores unpacked and checked, nothing else running",
                             megabytes / outcome->stages["unpack"] * 1e3, "MB/s",
                             kBuildGoalMbPerSecond, true, "2 GB in 8 s"});
  const double replay_ms = outcome->stages["replay"];
  report_.figures.push_back({"point in time: replayed effects",
                             static_cast<double>(written.operations),
                             "effects",
                             {},
                             true,
                             ""});
  report_.figures.push_back({"point in time: replay into both stores",
                             static_cast<double>(written.operations) / replay_ms * 1e3, "effects/s",
                             kReplayGoal, true, ""});
  return {};
}

Status RestoreScenario::GoBackAndForth(LoadGenerator& load, int window) {
  load.EnterWindow(window);
  auto outcome = Restore({.id = backup_.id});
  if (!outcome) return Fail(outcome.error());
  restores_.push_back(outcome->seconds);
  load.EnterWindow(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  load.EnterWindow(window + 1);
  if (auto undone = Restore({}); !undone) return Fail(undone.error());
  load.EnterWindow(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  return {};
}

Status RestoreScenario::MeasureUnderLoad() {
  const unsigned rounds = options_.RoundsOr(5, 2);
  RecordCounter records(options_.record_count);
  ServiceTarget target(host_, 0, records);
  LoadPlan plan;
  plan.workload = FindWorkload('A');
  plan.distribution = Distribution::kUniform;
  plan.value_bytes = options_.value_bytes;
  plan.threads = options_.writers;  // so many that one that waits makes no other one wait
  plan.rate = 2000;
  plan.turn = 1;  // a write must not wait while its thread holds a snapshot
  plan.seed = options_.seed;
  LoadGenerator load(target, plan, static_cast<int>(2 * rounds + 1));
  SB_RETURN_IF_ERROR(load.Start());
  for (unsigned round = 0; round < rounds; ++round) {
    SB_RETURN_IF_ERROR(
        progress_.Say(fmt::format("restore under load, {} of {}", round + 1, rounds)));
    SB_RETURN_IF_ERROR(GoBackAndForth(load, static_cast<int>(2 * round + 1)));
  }
  load.Stop();
  std::vector<double> restore_ms;
  std::vector<double> undo_ms;
  RunResult all;
  for (unsigned round = 0; round < rounds; ++round) {
    const RunResult restored = load.Result(static_cast<int>(2 * round + 1));
    const RunResult undone = load.Result(static_cast<int>(2 * round + 2));
    restore_ms.push_back(restored.QuantileUs(1) / 1e3);
    undo_ms.push_back(undone.QuantileUs(1) / 1e3);
    all.Add(restored);
    all.Add(undone);
  }
  const double megabytes = static_cast<double>(backup_.bytes()) / 1e6;
  report_.figures.push_back({"restore: both stores", megabytes, "MB", {}, true, ""});
  report_.figures.push_back({"restore, under load", Median(restores_), "s", {}, false, ""});
  report_.figures.push_back(
      {"restore, under load: speed", megabytes / Median(restores_), "MB/s", {}, true, ""});
  report_.figures.push_back({"longest wait of a request for a restore, median", Median(restore_ms),
                             "ms", kPauseGoalMs, false, ""});
  report_.figures.push_back({"longest wait of a request for an undo, median", Median(undo_ms), "ms",
                             kPauseGoalMs, false, ""});
  report_.figures.push_back(
      {"failed requests", static_cast<double>(all.errors), "requests", 0, false, all.first_error});
  return {};
}

}  // namespace

Status RunRestore(const ScenarioOptions& options, Report& report, Progress& progress) {
  SB_RETURN_IF_ERROR(progress.Say("restore: loading"));
  LogArchive archive({.staging = options.data_directory + "/log-closed",
                      .directory = options.data_directory + "/log-archive"},
                     SystemClock());
  SB_RETURN_IF_ERROR(archive.Start());
  auto host = ServiceHost::Open(
      {.directory = options.data_directory,
       .record_count = options.record_count,
       .value_bytes = options.value_bytes,
       .take_log_file = [&archive](const std::string& path) { archive.Take(path); }});
  if (!host) return Fail(host.error());
  return RestoreScenario(**host, archive, options, report, progress).Run();
}

}  // namespace switchback::bench
