#include "server/cli/flags_watch.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "flags/flag_json.hpp"
#include "flags/flag_store.hpp"
#include "flags/flag_watcher.hpp"
#include "flags/share.hpp"
#include "server/cli/output.hpp"
#include "server/endpoints.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kPollInterval{500};

std::string TimeOf(WallTime time) {
  return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

// Prints a snapshot when it differs from the one before: the watcher loads more often than that.
class Printer {
 public:
  explicit Printer(bool is_json) : is_json_(is_json) {}

  void Print(const FlagSnapshot& snapshot) {
    const std::string line = DescribeFlags(snapshot);
    if (line == last_) return;
    last_ = line;
    const std::string time = TimeOf(SystemClock().WallNow());
    if (!is_json_) {
      std::cout << time << "  " << line << std::endl;
      return;
    }
    Json flags = Json::object();
    for (const auto& [name, rule] : snapshot.flags)
      flags[name] = Json::parse(FlagRuleToJson(rule), nullptr, false);
    PrintJson({{"time", time},
               {"revision", snapshot.revision},
               {"warning", snapshot.warning},
               {"flags", std::move(flags)}});
  }

 private:
  const bool is_json_;
  std::string last_;
};

std::string DescribeServerFlags(const Json& document) {
  std::string line = fmt::format("revision {}", document.value("revision", std::uint64_t{0}));
  for (const Json& flag : document.value("flags", Json::array())) {
    line += fmt::format("  {} {} % ({} % in effect)", flag.value("name", ""),
                        FormatPercent(flag.value("desired_percentage", 0.0)),
                        FormatPercent(flag.value("effective_percentage", 0.0)));
    if (!flag.value("reason", "").empty()) line += ": " + flag.value("reason", "");
  }
  const std::string warning = document.value("warning", "");
  return warning.empty() ? line : line + "  warning: " + warning;
}

}  // namespace

std::string FlagsPathOf(const std::string& data_dir) {
  const auto endpoints = ReadEndpoints(data_dir);
  if (endpoints && !endpoints->flags_path.empty()) return endpoints->flags_path;
  return data_dir + "/flags.json";
}

std::string DescribeFlags(const FlagSnapshot& snapshot) {
  std::string line = fmt::format("revision {}", snapshot.revision);
  FlagMap flags = snapshot.flags;
  flags.try_emplace(std::string(kUnifiedFlagName));
  for (const auto& [name, rule] : flags) {
    line += fmt::format("  {} {}", name, rule.enabled() ? "on" : "off");
    if (rule.enabled()) line += fmt::format(" {} %", FormatPercentage(rule.share()));
  }
  return snapshot.warning.empty() ? line : line + "  warning: " + snapshot.warning;
}

int WatchFlagFile(const std::string& path, bool is_json) {
  StopSignal stop;
  FlagStore store;
  auto printer = std::make_shared<Printer>(is_json);
  FlagWatcher watcher(
      path, store,
      [printer](const std::shared_ptr<const FlagSnapshot>& snapshot) { printer->Print(*snapshot); },
      SystemClock());
  watcher.Start();
  stop.Wait();
  watcher.Stop();
  return kExitDone;
}

int WatchServerFlags(const ServerOptions& options) {
  auto api = ServerApi::Find(options);
  if (!api) return ReportError(api.error(), options.is_json);
  StopSignal stop;
  std::string last;
  do {
    auto document = api->Get("/v1/flags");
    if (!document) return ReportError(document.error(), options.is_json);
    const std::string line = DescribeServerFlags(*document);
    if (line == last) continue;
    last = line;
    if (options.is_json) PrintJson(*document);
    if (!options.is_json) std::cout << TimeOf(SystemClock().WallNow()) << "  " << line << std::endl;
  } while (!stop.WaitFor(kPollInterval));
  return kExitDone;
}

}  // namespace switchback
