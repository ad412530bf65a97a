// Point reads of uniformly chosen keys, the same keys in the same order for every target of a
// round. Only the whole loop is timed: a clock read for each operation would cost as much as a
// tenth of a read, and hide that much of the difference.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "server/bench/random.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/summary.hpp"
#include "server/bench/target_set.hpp"

namespace switchback::bench {
namespace {

constexpr const char* kTargets = "lmdb,legacy,sqlite,unified,25%";

std::vector<Key> ChooseKeys(const ScenarioOptions& options, unsigned round) {
  std::vector<Key> keys(options.is_quick ? 50'000 : 500'000);
  Random random(options.seed + round);
  for (Key& key : keys) key = KeyOf(random.Below(options.record_count));
  return keys;
}

Result<double> ReadsPerSecond(Client& client, const std::vector<Key>& keys, unsigned turn) {
  std::uint64_t found = 0;
  unsigned char touched = 0;
  unsigned left = turn;
  const auto begun = std::chrono::steady_clock::now();
  for (const Key& key : keys) {
    const auto value = client.Read(View(key));
    if (!value) return Fail(value.error());
    if (*value && !(*value)->empty()) {
      ++found;
      touched = static_cast<unsigned char>(touched + (*value)->front() + (*value)->back());
    }
    if (--left == 0) {
      client.EndTurn();
      left = turn;
    }
  }
  client.EndTurn();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  // Used, so that reading the bytes cannot be optimised away.
  volatile unsigned char used = touched;
  (void)used;
  if (found != keys.size()) return Fail(ErrorCode::kInternal, "a loaded record is missing");
  return static_cast<double>(keys.size()) / seconds.count();
}

double MedianRatio(const std::vector<double>& ours, const std::vector<double>& bare) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < ours.size(); ++round)
    ratios.push_back(ours[round] / bare[round]);
  return Median(std::move(ratios));
}

void AddFigures(std::map<std::string, std::vector<double>>& speeds, Report& report) {
  for (const auto& [target, rounds] : speeds)
    report.figures.push_back(
        {"reads, one thread: " + target, Median(rounds), "reads/s", {}, true, ""});
  report.figures.push_back({"routed read, legacy over bare LMDB",
                            MedianRatio(speeds["legacy"], speeds["lmdb"]), "x", 0.85, true, ""});
  report.figures.push_back({"routed read, unified over bare SQLite",
                            MedianRatio(speeds["unified"], speeds["sqlite"]), "x", 0.9, true, ""});
}

}  // namespace

Status RunReads(const ScenarioOptions& options, Report& report, Progress& progress) {
  auto targets = TargetSet::Open(options.StoresFor(kTargets), progress);
  if (!targets) return Fail(targets.error());

  std::map<std::string, std::vector<double>> speeds;
  const unsigned rounds = options.RoundsOr(9, 3);
  // Round 0 warms up: memory that was not touched lately is slow at the first touch.
  for (unsigned round = 0; round <= rounds; ++round) {
    const std::vector<Key> keys = ChooseKeys(options, round);
    for (const TargetSet::Entry& entry : (*targets)->entries()) {
      SB_RETURN_IF_ERROR(
          progress.Say(fmt::format("reads, round {} of {}: {}", round, rounds, entry.name.text)));
      SB_RETURN_IF_ERROR(entry.target->Prepare());
      auto client = entry.target->NewClient();
      if (!client) return Fail(client.error());
      auto speed = ReadsPerSecond(**client, keys, options.turn);
      if (!speed) return Fail(WithContext(speed.error(), entry.name.text));
      if (round > 0) speeds[entry.name.text].push_back(*speed);
    }
  }
  AddFigures(speeds, report);
  return {};
}

}  // namespace switchback::bench
