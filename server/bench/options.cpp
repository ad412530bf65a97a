#include "server/bench/options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "server/bench/report.hpp"

namespace switchback::bench {
namespace {

constexpr double kDurationSecondsMax = 86'400;

// A number and what stands behind it; nullopt when it does not begin with a number.
std::optional<std::pair<double, std::string_view>> SplitNumber(std::string_view text) {
  double number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || !std::isfinite(number)) return std::nullopt;
  return std::pair(number, text.substr(static_cast<std::size_t>(rest - text.data())));
}

double SecondsOfUnit(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "ms") return 1e-3;
  if (unit == "m" || unit == "min") return 60;
  return 0;
}

std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) items.push_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

Result<TargetName> ParseTarget(std::string_view text) {
  const std::string name(text);
  if (name == "legacy") return TargetName{TargetKind::kService, 0, name};
  if (name == "unified") return TargetName{TargetKind::kService, 100, name};
  if (name == "lmdb") return TargetName{TargetKind::kLmdb, 0, name};
  if (name == "sqlite") return TargetName{TargetKind::kSqlite, 0, name};
  if (name == "lmdb+sqlite") return TargetName{TargetKind::kPaired, 0, name};
  const auto number = SplitNumber(text);
  if (number && number->second == "%" && number->first >= 0 && number->first <= 100)
    return TargetName{TargetKind::kService, number->first, name};
  return Fail(ErrorCode::kInvalidArgument,
              "targets are legacy, unified, N%, lmdb, sqlite and lmdb+sqlite, not '" + name + "'");
}

}  // namespace

SqliteTuning BenchOptions::BareTuning() const {
  SqliteTuning tuning = TuningFor(load.value_bytes);
  if (sqlite_page_bytes > 0) tuning.page_bytes = sqlite_page_bytes;
  return tuning;
}

Result<Duration> ParseDuration(std::string_view text) {
  const auto number = SplitNumber(text);
  const double unit = number ? SecondsOfUnit(number->second) : 0;
  const double seconds = number ? number->first * unit : 0;
  if (unit == 0 || seconds < 0 || seconds > kDurationSecondsMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "a duration is like 10s, 300ms or 5m, not '" + std::string(text) + "'");
  }
  return Duration(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
}

std::string FormatDuration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  return seconds < 1 ? fmt::format("{:g}ms", seconds * 1e3) : fmt::format("{:g}s", seconds);
}

Result<std::vector<TargetName>> ParseTargets(std::string_view text) {
  std::vector<TargetName> targets;
  for (const std::string_view item : SplitList(text)) {
    auto target = ParseTarget(item);
    if (!target) return Fail(target.error());
    const auto is_same = [&](const TargetName& other) { return other.text == target->text; };
    if (std::any_of(targets.begin(), targets.end(), is_same))
      return Fail(ErrorCode::kInvalidArgument, "target '" + target->text + "' is named twice");
    targets.push_back(std::move(*target));
  }
  if (targets.empty()) return Fail(ErrorCode::kInvalidArgument, "name at least one target");
  return targets;
}

Result<std::vector<Distribution>> ParseDistributions(std::string_view text) {
  std::vector<Distribution> distributions;
  for (const std::string_view item : SplitList(text)) {
    const auto distribution = ParseDistribution(item);
    if (!distribution) return Fail(distribution.error());
    distributions.push_back(*distribution);
  }
  if (distributions.empty())
    return Fail(ErrorCode::kInvalidArgument, "name at least one distribution");
  return distributions;
}

std::vector<std::pair<std::string, std::string>> DescribeOptions(const BenchOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings{
      {"records", FormatNumber(static_cast<double>(options.record_count))},
      {"key bytes", fmt::format("{}", kKeyBytes)},
      {"value bytes", fmt::format("{}", options.load.value_bytes)},
      {"threads", fmt::format("{}", options.load.threads)},
      {"duration", FormatDuration(options.duration)},
      {"warmup", FormatDuration(options.warmup)},
      {"rounds", fmt::format("{}", options.rounds)},
      {"batch", fmt::format("{}", options.load.batch)},
      {"turn", fmt::format("{}", options.load.turn)},
      {"seed", fmt::format("{}", options.load.seed)},
      {"ack", options.acks_stores ? "stores" : "log"},
      {"bare SQLite pages", fmt::format("{}", options.BareTuning().page_bytes)}};
  if (options.load.rate > 0) settings.emplace_back("rate", FormatNumber(options.load.rate) + "/s");
  return settings;
}

}  // namespace switchback::bench
