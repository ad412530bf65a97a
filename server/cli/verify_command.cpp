#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/progress.hpp"
#include "server/cli/server_api.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kPollInterval{200};
constexpr std::uint64_t kShownDefault = 1000;
constexpr std::uint64_t kPageMax = 1000;

constexpr const char* kFooter =
    "Compares every record of both stores inside the server, while it reads and writes. Both are\n"
    "compared at one position of the commit log, and what differs is read again before it is\n"
    "reported. It takes at most 64 MiB of memory, goes on after a restart, and blocks nobody.\n"
    "\n"
    "What differs is said as seen from unified:\n"
    "  missing   only legacy has the record\n"
    "  extra     only unified has it\n"
    "  differs   both have it, with different values\n"
    "\n"
    "--repair FROM writes exactly those records once more, as FROM holds them (a record that FROM\n"
    "does not have is deleted), through the commit log, and compares them again.\n"
    "\n"
    "Ctrl-C ends the watching only; the verify goes on in the server until --cancel.\n"
    "\n"
    "Examples:\n"
    "  switchback verify\n"
    "  switchback verify --collection users --repair legacy\n"
    "  switchback verify --continuous --rate 20MB --no-wait\n"
    "  switchback verify --status\n"
    "\n"
    "Exit codes: 0 the stores are equal, 1 they differ or the verify failed, 2 usage, 3 refused.";

struct VerifyCommandOptions {
  ServerOptions server;
  std::vector<std::string> collections;
  std::string repair;
  std::string actor;
  std::uint64_t bytes_per_second = 0;
  std::uint64_t shown_max = kShownDefault;
  bool has_new_rate = false;
  bool is_continuous = false;
  bool is_fresh = false;
  bool is_no_wait = false;
  bool is_status = false;
  bool is_cancel = false;
};

std::uint64_t Number(const Json& document, const char* name) {
  return document.value(name, std::uint64_t{0});
}

std::string ProgressText(const Json& status) {
  std::string text =
      fmt::format("{} of {} records, {}/s", FormatCount(Number(status, "records_compared")),
                  FormatCount(Number(status, "records_total")),
                  FormatBytes(static_cast<std::uint64_t>(status.value("bytes_per_second", 0.0))));
  const Json eta = status.value("eta_seconds", Json());
  if (eta.is_number()) text += ", " + FormatSeconds(eta.get<double>()) + " left";
  const std::uint64_t differences = Number(status, "differences");
  if (differences > 0) text += ", " + FormatCount(differences) + " DIFFER";
  const std::string waiting = status.value("waiting", "");
  return text + (waiting.empty() ? "  " + status.value("current_collection", "")
                                 : "  waiting: " + waiting);
}

void PrintCounts(const Json& status) {
  std::cout << fmt::format(
      "{} missing, {} extra, {} differ", FormatCount(Number(status, "missing")),
      FormatCount(Number(status, "extra")), FormatCount(Number(status, "differs")));
  if (Number(status, "repaired") > 0)
    std::cout << ", " << FormatCount(Number(status, "repaired")) << " of them repaired";
  if (Number(status, "unnamed") > 0)
    std::cout << ", " << FormatCount(Number(status, "unnamed")) << " of them only counted";
  std::cout << " (as seen from unified)\n";
}

void PrintStatus(const Json& status) {
  const std::string state = status.value("state", "");
  std::cout << "verify: " << state;
  if (state == "running") std::cout << ", " << FormatPercent(status.value("percent", 0.0)) << " %";
  if (state == "none") {
    std::cout << "\n";
    return;
  }
  std::cout << ", "
            << (state == "running"
                    ? ProgressText(status)
                    : FormatCount(Number(status, "records_compared")) + " records compared")
            << "\n";
  PrintCounts(status);
  if (Number(status, "passes") > 0 && status.value("continuous", false)) {
    std::cout << "passes finished: " << FormatCount(Number(status, "passes"))
              << ", the last one: " << status.value("last_pass", "") << "\n";
  }
  if (state == "clean") {
    std::cout << "every record was the same in both stores, between positions "
              << Number(status, "sequence_first") << " and " << Number(status, "sequence")
              << " of the commit log\n";
  }
  if (state == "interrupted" || state == "cancelled" || state == "failed")
    std::cout << "`switchback verify` goes on from there\n";
  const std::string error = status.value("error", "");
  if (!error.empty()) std::cout << "error: " << error << "\n";
}

std::string ValueText(const Json& value) {
  if (!value.is_object()) return "absent";
  return fmt::format("{} bytes {}", Number(value, "bytes"), value.value("xxh3_128", ""));
}

// A key that is not text is shown by its base64 form.
std::string KeyText(const Json& difference) {
  if (difference.contains("key")) return difference.value("key", Json()).dump();
  return "base64:" + difference.value("key_base64", "");
}

// Hands over at most `count_max` differences, page by page.
template <class Visit>
Status ForEachDifference(const ServerApi& api, std::uint64_t count_max, const Visit& visit) {
  std::string path =
      "/v1/verify/differences?limit=" + std::to_string(std::min(count_max, kPageMax));
  while (count_max > 0 && !path.empty()) {
    const auto page = api.Get(path);
    if (!page) return Fail(page.error());
    const Json next = page->value("next", Json());
    path = next.is_string() ? next.get<std::string>() : "";
    for (const Json& difference : page->value("differences", Json::array())) {
      if (count_max == 0) break;
      --count_max;
      visit(difference);
    }
  }
  return {};
}

Status PrintDifferences(const ServerApi& api, std::uint64_t left, std::uint64_t shown_max) {
  std::uint64_t shown = 0;
  SB_RETURN_IF_ERROR(ForEachDifference(api, shown_max, [&](const Json& difference) {
    ++shown;
    std::cout << fmt::format("  {:<8} {} {}  legacy: {}  unified: {}\n",
                             difference.value("kind", ""), difference.value("collection", ""),
                             KeyText(difference), ValueText(difference.value("legacy", Json())),
                             ValueText(difference.value("unified", Json())));
  }));
  if (left > shown) {
    std::cout << "  and " << FormatCount(left - shown)
              << " more: --show, or GET /v1/verify/differences\n";
  }
  return {};
}

int ExitCodeOf(const Json& status) {
  const std::string state = status.value("state", "");
  const bool is_bad = state == "failed" || state == "differences" ||
                      (state != "none" && Number(status, "differences") > 0);
  return is_bad ? kExitFailed : kExitDone;
}

int Finish(const ServerApi& api, Json status, const VerifyCommandOptions& options) {
  const std::uint64_t left = Number(status, "differences");
  Status shown;
  if (options.server.is_json) {
    status["named"] = Json::array();
    shown = ForEachDifference(api, left > 0 ? options.shown_max : 0, [&](const Json& difference) {
      status["named"].push_back(difference);
    });
    if (shown) PrintJson(status);
  } else {
    PrintStatus(status);
    if (left > 0) shown = PrintDifferences(api, left, options.shown_max);
  }
  return shown ? ExitCodeOf(status) : ReportError(shown.error(), options.server.is_json);
}

// SIGINT ends the following, never the verify.
int Follow(const ServerApi& api, Json status, const VerifyCommandOptions& options) {
  StopSignal stop;
  {
    Progress progress(std::cout, IsTerminal());
    while (status.value("state", "") == "running") {
      if (!options.server.is_json)
        progress.Show(status.value("percent", 0.0), ProgressText(status), SystemClock().Now());
      if (stop.WaitFor(kPollInterval)) {
        std::cerr << "\nswitchback: the verify goes on in the server; `switchback verify --status` "
                     "shows it, `switchback verify --cancel` ends it\n";
        return kExitFailed;
      }
      auto next = api.Get("/v1/verify");
      if (!next) return ReportError(next.error(), options.server.is_json);
      status = *std::move(next);
    }
  }
  return Finish(api, std::move(status), options);
}

Json StartBody(const VerifyCommandOptions& options) {
  Json body{{"collections", options.collections},
            {"continuous", options.is_continuous},
            {"bytes_per_second", options.bytes_per_second},
            {"fresh", options.is_fresh},
            {"actor", options.actor.empty() ? LocalUser() : options.actor}};
  if (!options.repair.empty()) body["repair"] = options.repair;
  return body;
}

int RunVerify(const VerifyCommandOptions& options) {
  const bool is_json = options.server.is_json;
  auto api = ServerApi::Find(options.server);
  if (!api) return ReportError(api.error(), is_json);
  auto status = options.is_status      ? api->Get("/v1/verify")
                : options.is_cancel    ? api->Send("POST", "/v1/verify/cancel", Json::object())
                : options.has_new_rate ? api->Send("POST", "/v1/verify/rate",
                                                   {{"bytes_per_second", options.bytes_per_second}})
                                       : api->Send("POST", "/v1/verify/start", StartBody(options));
  if (!status) return ReportError(status.error(), is_json);
  const bool is_start = !options.is_status && !options.is_cancel && !options.has_new_rate;
  if (is_start && !options.is_no_wait) return Follow(*api, *std::move(status), options);
  if (options.is_status) return Finish(*api, *std::move(status), options);
  if (is_json) {
    PrintJson(*status);
  } else {
    PrintStatus(*status);
  }
  return kExitDone;
}

}  // namespace

void AddVerifyCommand(CLI::App& app, int& exit_code) {
  CLI::App* verify = app.add_subcommand("verify", "Compare both stores, record by record");
  verify->footer(kFooter);
  auto options = std::make_shared<VerifyCommandOptions>();
  verify
      ->add_option("--collection", options->collections,
                   "Compare only this one; may be given several times")
      ->take_all();
  verify->add_flag("--continuous", options->is_continuous,
                   "Begin again after each pass, until --cancel");
  verify->add_option("--repair", options->repair, "Copy what differs from this role")
      ->check(CLI::IsMember({"legacy", "unified"}));
  verify
      ->add_option("--rate", options->bytes_per_second,
                   "Compare at most this many bytes a second: 500000, 20MB; 0 = no limit")
      ->transform(CLI::AsSizeValue(true));
  verify->add_flag("--fresh", options->is_fresh, "Do not go on with an interrupted pass");
  verify->add_option("--actor", options->actor, "Who asks for it, for the history");
  verify->add_option("--show", options->shown_max, "Print at most this many records that differ")
      ->capture_default_str();
  auto* no_wait = verify->add_flag("--no-wait", options->is_no_wait, "Start it and return");
  auto* status = verify->add_flag("--status", options->is_status, "Show the newest one");
  auto* cancel = verify->add_flag("--cancel", options->is_cancel, "End the one that runs");
  auto* set_rate = verify->add_flag("--set-rate", options->has_new_rate,
                                    "Give the one that runs the limit of --rate");
  status->excludes(cancel)->excludes(set_rate)->excludes(no_wait);
  cancel->excludes(set_rate)->excludes(no_wait);
  options->server.AddTo(*verify);
  verify->callback([options, &exit_code] { exit_code = RunVerify(*options); });
}

}  // namespace switchback
