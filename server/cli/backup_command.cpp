#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "rollback/backup_verifier.hpp"
#include "server/cli/backup_follow.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"
#include "server/http/backup_json.hpp"
#include "server/http/query.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAtTarget = "?where=target";
// Of a request that waits for the target, with its own attempts.
constexpr std::chrono::seconds kTargetTimeMax{180};
constexpr const char* kFooter =
    "A backup holds both stores at one and the same batch of the commit log. It is made while\n"
    "clients read and write, and counts only once it was read back: checksums, the engines' own\n"
    "checks, a digest of every collection, and both halves compared with each other.\n"
    "\n"
    "upload and download move one to and from the place off this machine that backup_target in "
    "the\n"
    "server's configuration names. An upload that was interrupted is gone on with; a download "
    "counts\n"
    "only once it was verified in full.\n"
    "\n"
    "list, show, verify and export work without a running server: give --data-dir or --backups.\n"
    "\n"
    "Examples:\n"
    "  switchback backup create --note \"before the release\"\n"
    "  switchback backup list\n"
    "  switchback backup verify 20260101T120000Z-1a2b --full\n"
    "  switchback backup prune --dry-run\n"
    "  switchback backup upload 20260101T120000Z-1a2b\n"
    "  switchback backup list --remote\n"
    "  switchback backup export 20260101T120000Z-1a2b --to /tmp/copy --data-dir /var/lib/app\n"
    "\n"
    "Exit codes: 0 done, 1 failed or damaged, 2 usage, 3 refused.";

struct BackupCommandOptions {
  ServerOptions server;
  std::string id;
  std::string note;
  std::string actor;
  std::string to;
  std::string backups;  // --backups
  bool is_compressed = false;
  bool is_plain = false;
  bool is_full = false;
  bool is_dry_run = false;
  bool is_no_wait = false;
  bool is_remote = false;

  [[nodiscard]] Json Body() const { return {{"actor", actor.empty() ? LocalUser() : actor}}; }
  [[nodiscard]] std::string Path(const std::string& what = "") const {
    return "/v1/backups/" + PercentEncode(id) + what;
  }
};

int Fails(const Error& error, const BackupCommandOptions& options) {
  return ReportError(error, options.server.is_json);
}

std::string Text(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

std::uint64_t Number(const Json& json, const char* name) {
  const auto at = json.find(name);
  return at != json.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}

// Where to look when nobody serves: "" when that was not said.
std::string OfflineDirectory(const BackupCommandOptions& options) {
  if (!options.backups.empty()) return options.backups;
  return options.server.data_dir.empty() ? "" : options.server.data_dir + "/backups";
}

// The server's answer, or with --backups, and where no server runs, what `offline` makes of the
// directory.
template <class Offline>
Result<Json> Ask(const BackupCommandOptions& options, const std::string& path,
                 const Offline& offline) {
  Error error{ErrorCode::kUnavailable, "no server"};
  if (options.backups.empty()) {
    const auto api = ServerApi::Find(options.server);
    auto answer = api ? api->Get(path) : Result<Json>(Fail(api.error()));
    if (answer || answer.error().code != ErrorCode::kUnavailable) return answer;
    error = answer.error();
  }
  const std::string path_of_backups = OfflineDirectory(options);
  if (path_of_backups.empty()) return Fail(error);
  const auto directory = BackupDirectory::Open(path_of_backups, /*must_exist=*/true);
  if (!directory) return Fail(directory.error());
  return offline(*directory);
}

// --- What is printed ---

std::string VerifiedText(const Json& backup) {
  if (Text(backup, "state") != "ok") return "DAMAGED";
  if (!backup.contains("verified")) return "remote";
  if (!Text(backup, "problem").empty()) return "BAD";
  return backup.value("verified", false) ? "verified" : "unverified";
}

void PrintList(const Json& list) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& backup : list.value("backups", Json::array())) {
    const Json age = backup.value("age_seconds", Json());
    rows.push_back({Text(backup, "id"), age.is_number() ? FormatSeconds(age.get<double>()) : "?",
                    Text(backup, "reason"), std::to_string(Number(backup, "sequence")),
                    FormatCount(Number(backup, "records")), FormatBytes(Number(backup, "bytes")),
                    VerifiedText(backup), backup.value("pinned", false) ? "pinned" : "",
                    Text(backup, "note")});
  }
  if (!rows.empty())
    std::cout << TextTable(
        {"ID", "AGE", "REASON", "BATCH", "RECORDS", "SIZE", "STATE", "PIN", "NOTE"}, rows);
  std::cout << fmt::format("{} backups, {}, in {}\n", Number(list, "count"),
                           FormatBytes(Number(list, "bytes")), Text(list, "directory"));
}

void PrintHalf(const Json& half) {
  std::uint64_t record_count = 0;
  for (const Json& one : half.value("collections", Json::array()))
    record_count += Number(one, "records");
  std::cout << fmt::format(
      "  {:<15} {} in {} collections, {} ({}), sha256 {}\n", Text(half, "file"),
      FormatCount(record_count) + " records", half.value("collections", Json::array()).size(),
      FormatBytes(Number(half, "bytes")), Text(half, "compression"), Text(half, "sha256"));
}

void PrintBackup(const Json& backup) {
  std::cout << "backup " << Text(backup, "id") << ": " << VerifiedText(backup)
            << (backup.value("pinned", false) ? ", pinned" : "") << "\n";
  for (const char* name : {"damage", "problem"}) {
    if (!Text(backup, name).empty())
      std::cout << "  " << name << ": " << Text(backup, name) << "\n";
  }
  const Json manifest = backup.value("manifest", Json());
  if (!manifest.is_object()) return;
  std::cout << fmt::format("  made {} in {} ms by {} ({}), switchback {}\n",
                           Text(manifest, "created_at"), Number(manifest, "duration_ms"),
                           Text(manifest, "actor"), Text(manifest, "reason"),
                           Text(manifest, "software"));
  if (!Text(manifest, "note").empty()) std::cout << "  note: " << Text(manifest, "note") << "\n";
  std::cout << fmt::format("  batch {} of epoch {}, schema version {}\n",
                           Number(manifest, "sequence"), Number(manifest, "epoch"),
                           Number(manifest, "schema_version"));
  for (const Json& half : manifest.value("halves", Json::array())) PrintHalf(half);
  const Json absences = manifest.value("absent", Json::object());
  for (const auto& [role, why] : absences.items())
    std::cout << "  no " << role << ": " << (why.is_string() ? why.get<std::string>() : "") << "\n";
  const std::string verified = Text(backup, "verified_at");
  std::cout << "  verified " << (verified.empty() ? "never" : verified) << "\n";
}

void PrintVerdict(const Json& verdict, const std::string& id) {
  std::cout << "backup " << id << (verdict.value("ok", false) ? " is whole" : " is DAMAGED")
            << (verdict.value("full", false) ? " (every record)" : " (checksums)") << "\n";
  for (const Json& problem : verdict.value("problems", Json::array()))
    std::cout << "  " << problem.get<std::string>() << "\n";
}

// --- Operations in the server ---

int RunCreate(const BackupCommandOptions& options) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return Fails(api.error(), options);
  Json body = options.Body();
  body["note"] = options.note;
  if (options.is_compressed || options.is_plain) body["compress"] = options.is_compressed;
  auto begun = api->Send("POST", "/v1/backups", body);
  if (!begun) return Fails(begun.error(), options);
  const std::string id = Text(*begun, "id");
  if (options.is_no_wait) {
    if (options.server.is_json) {
      PrintJson(*begun);
    } else {
      std::cout << "backup " << id << " has begun\n";
    }
    return kExitDone;
  }
  const auto ended = FollowBackup(*api, *begun, options.server.is_json);
  if (!ended) return Fails(ended.error(), options);
  if (Text(*ended, "id") == id && Text(*ended, "state") == "failed")
    return Fails(BackupErrorOf(*ended), options);
  const auto backup = api->Get("/v1/backups/" + id);
  if (!backup) return Fails(backup.error(), options);
  if (options.server.is_json) {
    PrintJson(*backup);
  } else {
    PrintBackup(*backup);
  }
  return kExitDone;
}

// To the target, or from there.
int RunMove(const BackupCommandOptions& options, bool is_upload) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return Fails(api.error(), options);
  auto begun = api->Send("POST", options.Path(is_upload ? "/upload" : "/download"), options.Body());
  if (!begun) return Fails(begun.error(), options);
  auto last = options.is_no_wait ? begun : FollowBackup(*api, *begun, options.server.is_json);
  if (!last) return Fails(last.error(), options);
  if (Text(*last, "id") == options.id && Text(*last, "state") == "failed")
    return Fails(BackupErrorOf(*last), options);
  if (options.server.is_json) {
    PrintJson(*last);
  } else {
    std::cout << (is_upload ? "upload" : "download") << " of backup " << options.id
              << (options.is_no_wait ? " has begun\n" : ": done\n");
  }
  return kExitDone;
}

int FinishVerify(const Json& verdict, const BackupCommandOptions& options) {
  if (options.server.is_json) {
    PrintJson(verdict);
  } else {
    PrintVerdict(verdict, options.id);
  }
  return verdict.value("ok", false) ? kExitDone : kExitFailed;
}

Result<Json> VerifyOffline(const BackupCommandOptions& options, const BackupDirectory& directory) {
  const auto entry = directory.Load(options.id);
  if (!entry) return Fail(entry.error());
  BackupProgress progress(SystemClock(), 0);
  const bool is_full = options.is_full || entry->state.verified_at == 0;
  const auto verdict = VerifyBackup(directory, options.id, is_full, progress);
  if (!verdict) return Fail(verdict.error());
  return BackupVerdictJson(*verdict);
}

Result<Json> VerifyInServer(const BackupCommandOptions& options, const ServerApi& api) {
  Json body = options.Body();
  body["full"] = options.is_full;
  auto begun = api.Send("POST", options.Path("/verify"), body);
  if (!begun) return begun;
  auto ended = FollowBackup(api, *begun, options.server.is_json);
  if (!ended) return ended;
  if (ended->contains("verdict")) return (*ended)["verdict"];
  return Fail(BackupErrorOf(*ended));
}

int RunVerify(const BackupCommandOptions& options) {
  const auto api = ServerApi::Find(options.server);
  const bool has_server =
      options.backups.empty() && api && api->Get("/v1/backups/status").has_value();
  Result<Json> verdict = Fail(ErrorCode::kUnavailable, "no server answers");
  if (has_server) {
    verdict = VerifyInServer(options, *api);
  } else if (const std::string path = OfflineDirectory(options); !path.empty()) {
    const auto directory = BackupDirectory::Open(path, /*must_exist=*/true);
    verdict = directory ? VerifyOffline(options, *directory) : Fail(directory.error());
  }
  return verdict ? FinishVerify(*verdict, options) : Fails(verdict.error(), options);
}

Result<Json> ListRemote(const BackupCommandOptions& options) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return Fail(api.error());
  return api->Get(std::string("/v1/backups") + kAtTarget, kTargetTimeMax);
}

Result<Json> ListHere(const BackupCommandOptions& options) {
  return Ask(options, "/v1/backups", [](const BackupDirectory& directory) {
    const auto entries = directory.List();
    if (!entries) return Result<Json>(Fail(entries.error()));
    return Result<Json>(BackupListJson(*entries, directory.path(), SystemClock().WallNow()));
  });
}

int RunList(const BackupCommandOptions& options) {
  const auto list = options.is_remote ? ListRemote(options) : ListHere(options);
  if (!list) return Fails(list.error(), options);
  if (options.server.is_json) {
    PrintJson(*list);
  } else {
    PrintList(*list);
  }
  return kExitDone;
}

int RunShow(const BackupCommandOptions& options) {
  const auto backup = Ask(options, options.Path(), [&](const BackupDirectory& directory) {
    const auto entry = directory.Load(options.id);
    if (!entry) return Result<Json>(Fail(entry.error()));
    return Result<Json>(BackupDetailJson(*entry, SystemClock().WallNow()));
  });
  if (!backup) return Fails(backup.error(), options);
  if (options.server.is_json) {
    PrintJson(*backup);
  } else {
    PrintBackup(*backup);
  }
  return kExitDone;
}

// The directory is the server's own when only a server is named: both are on one machine then.
int RunExport(const BackupCommandOptions& options) {
  std::string path = OfflineDirectory(options);
  if (options.backups.empty()) {
    const auto api = ServerApi::Find(options.server);
    const auto list = api ? api->Get("/v1/backups") : Result<Json>(Fail(api.error()));
    if (list) path = Text(*list, "directory");
    if (!list && path.empty()) return Fails(list.error(), options);
  }
  const auto directory = BackupDirectory::Open(path, /*must_exist=*/true);
  if (!directory) return Fails(directory.error(), options);
  BackupProgress progress(SystemClock(), 0);
  if (auto done = ExportBackup(*directory, options.id, options.to, progress); !done)
    return Fails(done.error(), options);
  const Json result{{"id", options.id},
                    {"legacy", options.to + "/legacy"},
                    {"unified", options.to + "/unified.sqlite"}};
  if (options.server.is_json) {
    PrintJson(result);
  } else {
    std::cout << "backup " << options.id << " is in " << options.to << "\n";
  }
  return kExitDone;
}

void PrintRetention(const Json& answer) {
  for (const Json& one : answer.value("backups", Json::array()))
    std::cout << fmt::format("{}  {:<6} {}\n", Text(one, "id"),
                             one.value("goes", false) ? "delete" : "keep", Text(one, "why"));
  std::cout << Number(answer, "deleted")
            << (answer.value("dry_run", false) ? " would be deleted\n" : " deleted\n");
}

// A request that is answered at once.
int RunSimple(const BackupCommandOptions& options, const char* method, const std::string& path,
              const Json& body, void (*print)(const Json&)) {
  const auto api = ServerApi::Find(options.server);
  if (!api) return Fails(api.error(), options);
  const auto answer = std::string_view(method) == "GET"
                          ? api->Get(path)
                          : api->Send(method, path, body, kTargetTimeMax);
  if (!answer) return Fails(answer.error(), options);
  if (options.server.is_json) {
    PrintJson(*answer);
  } else {
    print(*answer);
  }
  return kExitDone;
}

void PrintOperation(const Json& status) {
  std::cout << "backup: " << Text(status, "state");
  if (!Text(status, "operation").empty())
    std::cout << ", " << Text(status, "operation") << " of " << Text(status, "id");
  if (Text(status, "state") == "running")
    std::cout << ", " << FormatPercent(status.value("percent", 0.0)) << " %, "
              << BackupProgressText(status);
  std::cout << "\n";
  if (!Text(status, "error").empty()) std::cout << "error: " << Text(status, "error") << "\n";
}

using Options = std::shared_ptr<BackupCommandOptions>;

CLI::App* Add(CLI::App& backup, const Options& options, const char* name, const char* what,
              std::function<int()> run, int& exit_code) {
  CLI::App* command = backup.add_subcommand(name, what);
  options->server.AddTo(*command);
  command->callback([run = std::move(run), &exit_code] { exit_code = run(); });
  return command;
}

void AddId(CLI::App* command, const Options& options) {
  command->add_option("ID", options->id, "The backup, as `backup list` shows it")->required();
}

void AddMoves(CLI::App& backup, const Options& options, int& exit_code) {
  for (const bool is_upload : {true, false}) {
    CLI::App* move = Add(
        backup, options, is_upload ? "upload" : "download",
        is_upload ? "Copy a backup off this machine" : "Fetch a backup from there, and verify it",
        [options, is_upload] { return RunMove(*options, is_upload); }, exit_code);
    AddId(move, options);
    move->add_flag("--no-wait", options->is_no_wait, "Begin it and return");
  }
}

void AddChanges(CLI::App& backup, const Options& options, int& exit_code) {
  CLI::App* create = Add(
      backup, options, "create", "Make a backup of both stores",
      [options] { return RunCreate(*options); }, exit_code);
  create->add_option("--note", options->note, "Why, for people");
  create->add_flag("--compress", options->is_compressed, "With zstd")
      ->excludes(create->add_flag("--no-compress", options->is_plain, "Even if the server does"));
  create->add_flag("--no-wait", options->is_no_wait, "Begin it and return");
  for (const char* what : {"pin", "unpin"}) {
    AddId(Add(
              backup, options, what, what[0] == 'p' ? "Keep a backup whatever its age" : "Undo pin",
              [options, what] {
                return RunSimple(*options, "POST", options->Path(std::string("/") + what),
                                 options->Body(), PrintBackup);
              },
              exit_code),
          options);
  }
  CLI::App* remove = Add(
      backup, options, "delete", "Delete a backup",
      [options] {
        return RunSimple(
            *options, "DELETE", options->Path(options->is_remote ? kAtTarget : ""), options->Body(),
            [](const Json& answer) { std::cout << "deleted " << Text(answer, "deleted") << "\n"; });
      },
      exit_code);
  AddId(remove, options);
  remove->add_flag("--remote", options->is_remote, "The copy off this machine");
  AddMoves(backup, options, exit_code);
  CLI::App* prune = Add(
      backup, options, "prune", "Delete what retention does not keep",
      [options] {
        Json body = options->Body();
        body["dry_run"] = options->is_dry_run;
        return RunSimple(*options, "POST", "/v1/backups/prune", body, PrintRetention);
      },
      exit_code);
  prune->add_flag("--dry-run", options->is_dry_run, "Only say what would go, and why");
  Add(
      backup, options, "cancel", "End the operation that runs",
      [options] {
        return RunSimple(*options, "POST", "/v1/backups/cancel", options->Body(), PrintOperation);
      },
      exit_code);
  for (CLI::App* command : backup.get_subcommands({}))
    command->add_option("--actor", options->actor, "Who asks for it, for the history");
}

void AddLooks(CLI::App& backup, const Options& options, int& exit_code) {
  CLI::App* list = Add(
      backup, options, "list", "List all backups", [options] { return RunList(*options); },
      exit_code);
  list->add_flag("--remote", options->is_remote, "Those off this machine");
  CLI::App* show = Add(
      backup, options, "show", "Show one backup", [options] { return RunShow(*options); },
      exit_code);
  CLI::App* verify = Add(
      backup, options, "verify", "Look whether a backup is whole",
      [options] { return RunVerify(*options); }, exit_code);
  verify->add_flag("--full", options->is_full,
                   "Besides checksums: the engines' checks, and every record");
  CLI::App* export_to = Add(
      backup, options, "export", "Write a backup as ordinary LMDB and SQLite files",
      [options] { return RunExport(*options); }, exit_code);
  export_to->add_option("--to", options->to, "The directory to make")->required();
  for (CLI::App* command : {show, verify, export_to}) AddId(command, options);
  for (CLI::App* command : {list, show, verify, export_to})
    command->add_option("--backups", options->backups, "A directory of backups, without a server");
  Add(
      backup, options, "status", "Show the operation that runs, or the newest one",
      [options] { return RunSimple(*options, "GET", "/v1/backups/status", {}, PrintOperation); },
      exit_code);
}

}  // namespace

void AddBackupCommand(CLI::App& app, int& exit_code) {
  CLI::App* backup = app.add_subcommand("backup", "Make, check and keep backups of both stores");
  backup->footer(kFooter);
  backup->require_subcommand(1);
  const auto options = std::make_shared<BackupCommandOptions>();
  AddChanges(*backup, options, exit_code);
  AddLooks(*backup, options, exit_code);
  AddRestoreCommand(*backup, exit_code);
}

}  // namespace switchback
