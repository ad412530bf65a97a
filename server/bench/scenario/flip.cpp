// How fast a change of the flags file changes answers, and what it does to the requests around it.
#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "common/file.hpp"
#include "flags/flag_watcher.hpp"
#include "server/bench/load_generator.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/service_target.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

constexpr double kFlipGoalMs = 50;
constexpr double kTailGoal = 2;
constexpr std::chrono::seconds kFlipMax{10};
// Reads between two looks at the counters, which cost more than a read.
constexpr int kReadsPerLook = 16;

// Writes a new flags file beside the old one, so that a rename is all that is left to do.
Result<std::string> StageFlagsFile(const std::string& path, bool is_on) {
  const std::string staged = path + ".next";
  auto fd = OpenFile(staged, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd) return Fail(fd.error());
  SB_RETURN_IF_ERROR(
      WriteAt(fd->get(), fmt::format(R"({{"{}": {}}})", kUnifiedFlagName, is_on), 0));
  return staged;
}

class FlipScenario {
 public:
  FlipScenario(ServiceHost& host, std::string flags_path)
      : host_(host),
        flags_path_(std::move(flags_path)),
        session_(host.service().NewSession()),
        watcher_(
            flags_path_, host.service().flags(),
            [this](const std::shared_ptr<const FlagSnapshot>&) {
              (void)host_.service().JudgeFlags();  // a refusal shows as answers that do not change
            },
            SystemClock()) {}

  Status Start() {
    SB_RETURN_IF_ERROR(Rename(false));
    watcher_.Start();
    return {};
  }

  // Flips and returns the milliseconds from the rename to the first answer of the other role.
  Result<double> Flip() {
    const Role role = is_on_ ? Role::kLegacy : Role::kUnified;
    auto staged = StageFlagsFile(flags_path_, !is_on_);
    if (!staged) return Fail(staged.error());
    const std::uint64_t answered_before = AnswersOf(role);
    const SteadyTime begun = std::chrono::steady_clock::now();
    if (std::rename(staged->c_str(), flags_path_.c_str()) != 0)
      return FailErrno("rename " + *staged, errno);
    is_on_ = !is_on_;
    while (AnswersOf(role) == answered_before) {
      if (std::chrono::steady_clock::now() - begun > kFlipMax)
        return Fail(ErrorCode::kUnavailable, "the flip changed no answer");
      SB_RETURN_IF_ERROR(ReadSome());
    }
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
        .count();
  }

 private:
  Status Rename(bool is_on) {
    auto staged = StageFlagsFile(flags_path_, is_on);
    if (!staged) return Fail(staged.error());
    if (std::rename(staged->c_str(), flags_path_.c_str()) != 0)
      return FailErrno("rename " + *staged, errno);
    is_on_ = is_on;
    return {};
  }

  // Every read counts for the role that the router chose.
  std::uint64_t AnswersOf(Role role) {
    return host_.service().GetMetrics().Of(role, Operation::kGet).latency.Count();
  }

  Status ReadSome() {
    for (int read = 0; read < kReadsPerLook; ++read) {
      const Key key = KeyOf(static_cast<std::uint64_t>(read));
      auto value = session_->Get(host_.collection(), View(key));
      if (!value) return Fail(value.error());
    }
    session_->EndTurn();
    return {};
  }

  ServiceHost& host_;
  const std::string flags_path_;
  std::unique_ptr<Session> session_;
  bool is_on_ = false;
  FlagWatcher watcher_;  // last: its callback uses the rest
};

void AddLatencies(const std::string& name, const std::vector<double>& latencies, Report& report) {
  const auto within = static_cast<double>(std::count_if(
      latencies.begin(), latencies.end(), [](double latency) { return latency <= kFlipGoalMs; }));
  report.figures.push_back(
      {name + ": rename to first changed answer, median", Median(latencies), "ms", {}, true, ""});
  report.figures.push_back(
      {name + ": the slowest of them", *std::max_element(latencies.begin(), latencies.end()), "ms",
       kFlipGoalMs, false,
       fmt::format("{:.0f} of {} within {:.0f} ms", within, latencies.size(), kFlipGoalMs)});
}

// Windows of the load: one before and one around each flip, and one for the time between.
constexpr int WindowBefore(unsigned flip) {
  return static_cast<int>(2 * flip);
}
constexpr int WindowAround(unsigned flip) {
  return static_cast<int>(2 * flip + 1);
}

Status FlipUnderLoad(FlipScenario& flips, ServiceTarget& target, const ScenarioOptions& options,
                     Report& report, Progress& progress) {
  const unsigned count = options.RoundsOr(20, 4);
  const Duration second =
      options.is_quick ? std::chrono::milliseconds(300) : std::chrono::seconds(1);
  LoadPlan plan;
  plan.workload = FindWorkload('B');
  plan.distribution = Distribution::kUniform;
  plan.value_bytes = options.value_bytes;
  plan.threads = options.threads;
  plan.turn = options.turn;
  plan.seed = options.seed;
  const int rest = WindowAround(count - 1) + 1;
  LoadGenerator load(target, plan, rest + 1);
  SB_RETURN_IF_ERROR(load.Start());
  load.EnterWindow(rest);
  std::this_thread::sleep_for(second);

  std::vector<double> latencies;
  for (unsigned flip = 0; flip < count; ++flip) {
    SB_RETURN_IF_ERROR(progress.Say(fmt::format("flip under load, {} of {}", flip + 1, count)));
    load.EnterWindow(WindowBefore(flip));
    std::this_thread::sleep_for(second);
    load.EnterWindow(WindowAround(flip));
    std::this_thread::sleep_for(second / 2);
    auto latency = flips.Flip();
    if (!latency) return Fail(latency.error());
    latencies.push_back(*latency);
    std::this_thread::sleep_for(second / 2);
    load.EnterWindow(rest);
  }
  load.Stop();

  AddLatencies("flip under load", latencies, report);
  std::vector<double> ratios;
  std::vector<double> before;
  RunResult all;
  for (unsigned flip = 0; flip < count; ++flip) {
    const RunResult calm = load.Result(WindowBefore(flip));
    const RunResult around = load.Result(WindowAround(flip));
    before.push_back(calm.QuantileUs(0.99));
    ratios.push_back(around.QuantileUs(0.99) / calm.QuantileUs(0.99));
    all.Add(calm);
    all.Add(around);
  }
  report.figures.push_back({"p99 of the second before a flip", Median(before), "us", {}, true, ""});
  report.figures.push_back({"p99 of the second around a flip over before, median", Median(ratios),
                            "x", kTailGoal, false, ""});
  report.figures.push_back(
      {"the worst of them", *std::max_element(ratios.begin(), ratios.end()), "x", {}, true, ""});
  report.figures.push_back({"failed requests around flips", static_cast<double>(all.errors),
                            "requests", 0, false, all.first_error});
  return {};
}

}  // namespace

Status RunFlip(const ScenarioOptions& options, Report& report, Progress& progress) {
  SB_RETURN_IF_ERROR(progress.Say("flip: loading"));
  auto host = ServiceHost::Open({.directory = options.data_directory,
                                 .record_count = options.record_count,
                                 .value_bytes = options.value_bytes});
  if (!host) return Fail(host.error());
  RecordCounter records(options.record_count);
  ServiceTarget target(**host, 0, records);
  FlipScenario flips(**host, options.data_directory + "/flags.json");
  SB_RETURN_IF_ERROR(flips.Start());

  std::vector<double> latencies;
  for (unsigned flip = 0; flip < options.RoundsOr(20, 4); ++flip) {
    SB_RETURN_IF_ERROR(progress.Say(fmt::format("flip, {}", flip + 1)));
    auto latency = flips.Flip();
    if (!latency) return Fail(latency.error());
    latencies.push_back(*latency);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // each one alone
  }
  AddLatencies("flip", latencies, report);
  return FlipUnderLoad(flips, target, options, report, progress);
}

}  // namespace switchback::bench
