#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "flags/explain.hpp"
#include "flags/flag_file.hpp"
#include "flags/flag_json.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/flags_watch.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/endpoints.hpp"
#include "server/errors.hpp"
#include "server/http/query.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct FlagsOptions {
  ServerOptions server;
  std::string file;
  std::string name;
  bool enabled = false;
  std::optional<double> percentage;
  std::string reason;
  bool is_unverified_allowed = false;
  std::string key;
  std::string collection;
};

// Whether no server was reached at all: then the file alone is enough.
bool IsUnreachable(const Error& error) {
  return error.code == ErrorCode::kUnavailable;
}

// ---- get

void PrintFlag(const Json& flag) {
  const bool enabled = flag.value("enabled", false);
  std::cout << flag.value("name", "") << "  " << (enabled ? "on" : "off");
  const bool has_rule = flag.contains("targeting");
  if (enabled)
    std::cout << (has_rule ? "  about " : "  ") << FormatPercent(flag.value("percentage", 100.0))
              << (has_rule ? " % by a rule" : " %");
  if (flag.contains("effective_percentage") &&
      flag.value("effective_percentage", 0.0) != flag.value("desired_percentage", 0.0))
    std::cout << "  (in effect: " << FormatPercent(flag.value("effective_percentage", 0.0))
              << " %: " << flag.value("reason", "") << ")";
  std::cout << "\n";
}

Result<Json> FlagsFromFile(const std::string& path) {
  auto flags = LoadFlagFile(path);
  // A missing file means that every flag is off, which is an answer and not a failure.
  if (!flags && flags.error().code != ErrorCode::kNotFound) return Fail(flags.error());
  FlagMap shown = flags ? *flags : FlagMap{};
  shown.try_emplace(std::string(kUnifiedFlagName));
  Json list = Json::array();
  for (const auto& [name, rule] : shown) {
    Json flag{{"name", name}};
    flag.update(Json::parse(FlagRuleToJson(rule), nullptr, false));
    list.push_back(std::move(flag));
  }
  return Json{{"file", path}, {"flags", std::move(list)}};
}

// From the server where there is one, because it knows what is in effect; else from the file.
Result<Json> ReadFlags(const FlagsOptions& options) {
  if (!options.file.empty()) return FlagsFromFile(options.file);
  auto api = ServerApi::Find(options.server);
  auto flags = api ? api->Get("/v1/flags") : Result<Json>(Fail(api.error()));
  if (flags || options.server.data_dir.empty() || !IsUnreachable(flags.error())) return flags;
  return FlagsFromFile(FlagsPathOf(options.server.data_dir));
}

int GetFlags(const FlagsOptions& options) {
  auto flags = ReadFlags(options);
  if (!flags) return ReportError(flags.error(), options.server.is_json);
  const bool is_all = options.name.empty();
  bool is_found = is_all;
  for (const Json& flag : (*flags)["flags"]) {
    if (!is_all && flag.value("name", "") != options.name) continue;
    is_found = true;
    if (!options.server.is_json) PrintFlag(flag);
    if (options.server.is_json && !is_all) PrintJson(flag);
  }
  if (!is_found)
    return ReportError({ErrorCode::kNotFound, "no flag " + options.name}, options.server.is_json);
  if (options.server.is_json && is_all) PrintJson(*flags);
  if (!options.server.is_json && !flags->value("warning", "").empty())
    std::cerr << "switchback: warning: " << flags->value("warning", "") << "\n";
  return kExitDone;
}

// ---- set

Result<Json> SetOverHttp(const FlagsOptions& options) {
  auto api = ServerApi::Find(options.server);
  if (!api) return Fail(api.error());
  Json body{{"enabled", options.enabled}};
  if (options.percentage) body["percentage"] = *options.percentage;
  if (!options.reason.empty()) body["reason"] = options.reason;
  if (options.is_unverified_allowed) body["allow_unverified"] = true;
  body["actor"] = LocalUser();
  return api->Send("PUT", "/v1/flags/" + options.name, body);
}

int SetInFile(const FlagsOptions& options, const std::string& path) {
  const FlagChange change{options.enabled, options.percentage};
  if (auto set = SetFlagInFile(path, options.name, change); !set) {
    const int code = ReportError(set.error(), options.server.is_json);
    return code == kExitRefused ? code : kExitFailed;
  }
  auto flags = FlagsFromFile(path);
  if (!flags) return ReportError(flags.error(), options.server.is_json);
  for (const Json& flag : (*flags)["flags"]) {
    if (flag.value("name", "") != options.name) continue;
    if (options.server.is_json) PrintJson(flag);
    if (!options.server.is_json) PrintFlag(flag);
  }
  return kExitDone;
}

// The server of the data directory is asked first, so that a flip it would refuse is said here and
// now; without one the file is edited, which is what a server reads when it starts.
int SetFlag(const FlagsOptions& options) {
  if (!options.file.empty()) return SetInFile(options, options.file);
  auto flag = SetOverHttp(options);
  if (flag) {
    if (options.server.is_json) PrintJson(*flag);
    if (!options.server.is_json) PrintFlag(*flag);
    return kExitDone;
  }
  if (options.server.data_dir.empty() || !IsUnreachable(flag.error()))
    return ReportError(flag.error(), options.server.is_json);
  if (ReadEndpoints(options.server.data_dir))
    std::cerr << "switchback: the server did not answer (" << flag.error().message
              << "): editing the file\n";
  return SetInFile(options, FlagsPathOf(options.server.data_dir));
}

// ---- explain

Result<Json> ExplainFromFile(const std::string& path, const FlagsOptions& options) {
  auto flags = LoadFlagFile(path);
  if (!flags && flags.error().code != ErrorCode::kNotFound) return Fail(flags.error());
  FlagMap known = flags ? *flags : FlagMap{};
  known.try_emplace(std::string(kUnifiedFlagName));
  const auto flag = known.find(options.name);
  if (flag == known.end()) return Fail(ErrorCode::kNotFound, "no flag " + options.name);
  Json document{{"name", options.name}};
  const FlagExplanation explanation = ExplainFlag(flag->second, options.key);
  document.update(Json::parse(FlagExplanationToJson(explanation), nullptr, false));
  return document;
}

// As ReadFlags: only the server knows which store answers in the end.
Result<Json> ReadExplanation(const FlagsOptions& options) {
  if (!options.file.empty()) return ExplainFromFile(options.file, options);
  auto api = ServerApi::Find(options.server);
  std::string path =
      "/v1/flags/" + PercentEncode(options.name) + "/explain?key=" + PercentEncode(options.key);
  if (!options.collection.empty()) path += "&collection=" + PercentEncode(options.collection);
  auto explanation = api ? api->Get(path) : Result<Json>(Fail(api.error()));
  if (explanation || options.server.data_dir.empty() || !IsUnreachable(explanation.error()))
    return explanation;
  return ExplainFromFile(FlagsPathOf(options.server.data_dir), options);
}

int Explain(const FlagsOptions& options) {
  auto read = ReadExplanation(options);
  if (!read) return ReportError(read.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*read);
    return kExitDone;
  }
  const Json& explanation = *read;
  std::cout << "entity  " << explanation.value("entity", explanation.value("entity_base64", ""))
            << "\nbucket  " << FormatPercent(explanation.value("bucket", 0.0)) << " of 100\n"
            << "flag    " << (explanation.value("is_on", false) ? "on" : "off") << ": "
            << explanation.value("text", "") << "\n";
  if (!explanation.contains("store")) return kExitDone;
  const Json& store = explanation["store"];
  std::cout << "store   " << (store.is_string() ? store.get<std::string>() : "none");
  const std::string reason = explanation.value("reason", "");
  std::cout << (reason.empty() ? "" : " (" + reason + ")") << "\n";
  return kExitDone;
}

int Watch(const FlagsOptions& options) {
  if (!options.file.empty()) return WatchFlagFile(options.file, options.server.is_json);
  if (!options.server.data_dir.empty() && options.server.url.empty())
    return WatchFlagFile(FlagsPathOf(options.server.data_dir), options.server.is_json);
  return WatchServerFlags(options.server);
}

void AddSource(CLI::App& command, FlagsOptions& options) {
  command.add_option("--file", options.file, "The flags file itself; no server is asked");
  options.server.AddTo(command);
}

}  // namespace

void AddFlagsCommand(CLI::App& app, int& exit_code) {
  CLI::App* flags = app.add_subcommand("flags", "Look at, change and follow the flags");
  flags->require_subcommand(1);
  flags->footer(
      "Examples:\n"
      "  switchback flags set USE_UNIFIED_DB_SERVICE true --percentage 25 --data-dir D\n"
      "  switchback flags set USE_UNIFIED_DB_SERVICE false --data-dir D    # the rollback\n"
      "  switchback flags explain '{tenant-a}:msg:1' --data-dir D    # which store, and why\n"
      "  switchback flags watch --data-dir D");
  auto options = std::make_shared<FlagsOptions>();

  CLI::App* get = flags->add_subcommand("get", "Show one flag or all");
  get->add_option("NAME", options->name, "The flag; all without it");
  AddSource(*get, *options);
  get->callback([options, &exit_code] { exit_code = GetFlags(*options); });

  CLI::App* set = flags->add_subcommand("set", "Switch a flag on or off");
  set->add_option("NAME", options->name, "The flag")->required();
  set->add_option("VALUE", options->enabled, "true or false")->required();
  set->add_option("--percentage", options->percentage, "Share of the keys, 0..100 [100]")
      ->check(CLI::Range(0.0, 100.0));
  set->add_option("--reason", options->reason, "Why, for the log");
  set->add_flag("--allow-unverified", options->is_unverified_allowed,
                "Also to a copy that was not verified; it is written down who did that");
  AddSource(*set, *options);
  set->footer(
      "A server that runs on the data directory is asked first: a flip to a store that is not in\n"
      "sync is refused with exit code 3. Without a server the file is edited.");
  set->callback([options, &exit_code] { exit_code = SetFlag(*options); });

  CLI::App* explain = flags->add_subcommand("explain", "Say which store a key gets, and why");
  explain->add_option("KEY", options->key, "The key")->required();
  explain->add_option("--flag", options->name, "The flag [USE_UNIFIED_DB_SERVICE]");
  explain->add_option("--collection", options->collection,
                      "Its collection, while a migration goes collection by collection");
  AddSource(*explain, *options);
  explain->footer("Without a server the flags file alone is asked: what the flag says, not more.");
  explain->callback([options, &exit_code] {
    if (options->name.empty()) options->name = kUnifiedFlagName;
    exit_code = Explain(*options);
  });

  CLI::App* watch = flags->add_subcommand("watch", "Print a line at each change until stopped");
  AddSource(*watch, *options);
  watch->callback([options, &exit_code] { exit_code = Watch(*options); });
}

}  // namespace switchback
