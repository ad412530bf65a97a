#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/transfer_progress.hpp"
#include "server/errors.hpp"
#include "server/http/json_text.hpp"
#include "server/process.hpp"
#include "server/transfer/csv_codec.hpp"
#include "server/transfer/export_source.hpp"
#include "server/transfer/jsonl_codec.hpp"
#include "server/transfer/output_file.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFooter =
    "Writes every record of the collections, all of them by default, in key order. A key or value\n"
    "that is UTF-8 without control characters (but tab and line breaks) stands as text, all else\n"
    "as base64, so that every byte comes back with `switchback import`:\n"
    "  jsonl  {\"collection\":\"users\",\"key\":\"alice\",\"value\":\"...\"}; base64 stands under\n"
    "         \"key_base64\" and \"value_base64\" instead\n"
    "  csv    RFC 4180, columns collection,key,value,key_encoding,value_encoding; an encoding is\n"
    "         text or base64\n"
    "\n"
    "What is guaranteed: without a server, by --data-dir or --lmdb, the file is one point in "
    "time.\n"
    "From a running server records come page by page: each page of 1,000 is one point in time,\n"
    "with everything that was acknowledged before; a record that is written meanwhile may be in\n"
    "the file as it was or as it became, and every record that nobody touches is in it once. For\n"
    "one point in time of a live server take a backup, or set READ_ONLY meanwhile.\n"
    "\n"
    "A file is written as FILE.tmp, synced and renamed: it is there whole or not at all.\n"
    "\n"
    "Examples:\n"
    "  switchback export --output all.jsonl\n"
    "  switchback export users --prefix 'tenant-a:' --format csv --output users.csv\n"
    "  switchback export --lmdb /var/lib/old-app/lmdb | zstd > old.jsonl.zst";

struct ExportOptions {
  ServerOptions server;
  std::vector<std::string> collections;
  std::string prefix;
  std::string format;
  std::string output = "-";
  std::string role = "routed";
  std::string lmdb;
  bool is_forced = false;
};

std::optional<Role> RoleOf(const ExportOptions& options) {
  for (const Role role : kRoles)
    if (options.role == RoleName(role)) return role;
  return std::nullopt;
}

// What was opened, with its collections: asking for them tells whether a server is there.
struct Opened {
  std::unique_ptr<ExportSource> source;
  std::vector<ExportCollection> collections;
};

Result<Opened> WithCollections(Result<std::unique_ptr<ExportSource>> source) {
  if (!source) return Fail(source.error());
  auto collections = (*source)->Collections();
  if (!collections) return Fail(collections.error());
  return Opened{*std::move(source), *std::move(collections)};
}

Result<Opened> OpenSource(const ExportOptions& options) {
  if (!options.lmdb.empty()) return WithCollections(OpenLmdbSource(options.lmdb));
  auto api = ServerApi::Find(options.server);
  Result<Opened> opened = api ? WithCollections(NewServerSource(*std::move(api), RoleOf(options)))
                              : Result<Opened>(Fail(api.error()));
  const bool is_alone = !opened && opened.error().code == ErrorCode::kUnavailable;
  if (!is_alone || !options.server.url.empty() || options.server.data_dir.empty()) return opened;
  auto offline = WithCollections(OpenDirectorySource(options.server.data_dir, RoleOf(options)));
  // A server does have it: what it said before is the reason.
  return !offline && offline.error().code == ErrorCode::kConflict ? std::move(opened)
                                                                  : std::move(offline);
}

// The asked ones in the order asked; all when none is.
Result<std::vector<ExportCollection>> Choose(const std::vector<ExportCollection>& there,
                                             const std::vector<std::string>& asked) {
  if (asked.empty()) return there;
  std::vector<ExportCollection> chosen;
  for (const std::string& name : asked) {
    const auto found = std::find_if(there.begin(), there.end(),
                                    [&](const ExportCollection& one) { return one.name == name; });
    if (found == there.end()) return Fail(ErrorCode::kNotFound, "there is no collection " + name);
    const bool is_twice = std::any_of(chosen.begin(), chosen.end(),
                                      [&](const auto& one) { return one.name == name; });
    if (!is_twice) chosen.push_back(*found);
  }
  return chosen;
}

// Of all of them; nullopt when one cannot say, or when a prefix leaves some out.
std::optional<std::uint64_t> TotalOf(const std::vector<ExportCollection>& collections,
                                     const std::string& prefix) {
  std::uint64_t total = 0;
  for (const ExportCollection& one : collections) {
    if (!one.records || !prefix.empty()) return std::nullopt;
    total += *one.records;
  }
  return total;
}

class Export {
 public:
  Export(const ExportOptions& options, Opened opened, OutputFile file)
      : options_(options),
        is_csv_(options.format == "csv"),
        opened_(std::move(opened)),
        file_(std::move(file)),
        progress_(std::cerr, ::isatty(STDERR_FILENO) == 1,
                  options.output == "-"    ? TransferProgressForm::kNone
                  : options.server.is_json ? TransferProgressForm::kJson
                                           : TransferProgressForm::kPeople,
                  SystemClock()) {}

  Status Run() {
    auto chosen = Choose(opened_.collections, options_.collections);
    if (!chosen) return Fail(chosen.error());
    total_ = TotalOf(*chosen, options_.prefix);
    if (is_csv_) SB_RETURN_IF_ERROR(file_.Write(kCsvHeader));
    for (const ExportCollection& collection : *chosen) {
      const std::uint64_t before = records_;
      SB_RETURN_IF_ERROR(opened_.source->ForEach(collection.name, options_.prefix,
                                                 [&](std::string_view key, std::string_view value) {
                                                   return Take(collection.name, key, value);
                                                 }));
      by_collection_[collection.name] = records_ - before;
    }
    return file_.Commit();
  }

  // To standard error when the records go to standard output.
  void PrintSummary() {
    progress_.Finish();
    std::ostream& out = options_.output == "-" ? std::cerr : std::cout;
    for (const std::string& warning : opened_.source->Warnings())
      std::cerr << "switchback: " << warning << "\n";
    const double rate = progress_.RecordsPerSecond(records_);
    if (options_.server.is_json) {
      out << JsonText({{"state", "done"},
                       {"output", options_.output},
                       {"source", opened_.source->Describe()},
                       {"records", records_},
                       {"bytes", file_.bytes()},
                       {"collections", by_collection_},
                       {"seconds", progress_.seconds()},
                       {"records_per_second", rate}})
          << std::flush;
      return;
    }
    out << fmt::format("exported {} records of {} collections, {}, in {:.1f} s ({}/s): {}\n",
                       FormatCount(records_), by_collection_.size(), FormatBytes(file_.bytes()),
                       progress_.seconds(), FormatCount(static_cast<std::uint64_t>(rate)),
                       opened_.source->Describe())
        << std::flush;
  }
  void FinishLine() { progress_.Finish(); }

 private:
  Status Take(const std::string& collection, std::string_view key, std::string_view value) {
    line_.clear();
    is_csv_ ? AppendCsvRow(collection, key, value, line_)
            : AppendJsonLine(collection, key, value, line_);
    SB_RETURN_IF_ERROR(file_.Write(line_));
    if (++records_ % 1024 != 0) return {};
    progress_.Show(records_, records_, total_);
    return stop_.has_come() ? Status(Fail(ErrorCode::kCancelled, "stopped: nothing was exported"))
                            : Status();
  }

  StopSignal stop_;  // first: its signals are those of threads made later, too
  const ExportOptions& options_;
  const bool is_csv_;
  Opened opened_;
  OutputFile file_;
  TransferProgress progress_;
  std::optional<std::uint64_t> total_;
  std::uint64_t records_ = 0;
  std::map<std::string, std::uint64_t> by_collection_;
  std::string line_;
};

int RunExport(ExportOptions options) {
  const bool is_json = options.server.is_json && options.output != "-";
  if (options.format.empty()) options.format = options.output.ends_with(".csv") ? "csv" : "jsonl";
  if (!options.lmdb.empty() && (options.role != "routed" || !options.server.url.empty()))
    return ReportError({ErrorCode::kInvalidArgument, "--lmdb goes with neither --role nor --url"},
                       is_json);
  auto file = OutputFile::Open(options.output, options.is_forced);
  if (!file) return ReportError(file.error(), is_json);
  auto opened = OpenSource(options);
  if (!opened) return ReportError(opened.error(), is_json);
  Export run(options, *std::move(opened), *std::move(file));
  const Status done = run.Run();
  run.FinishLine();
  if (!done) return ReportError(done.error(), is_json);
  run.PrintSummary();
  return kExitDone;
}

}  // namespace

void AddExportCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("export", "Write records to a file of JSON lines or CSV");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("COLLECTION", options->collections, "Only these [all]");
  command->add_option("--prefix", options->prefix, "Only keys that begin with it")
      ->check([](const std::string& prefix) {
        return prefix.size() <= kKeyBytesMax ? "" : "is longer than a key can be";
      });
  command->add_option("--format", options->format, "[jsonl; csv for a file of that name]")
      ->check(CLI::IsMember({"jsonl", "csv"}));
  command->add_option("--output", options->output, "The file; - is standard output")
      ->capture_default_str();
  command->add_flag("--force", options->is_forced, "Replace the file if it is there");
  command->add_option("--role", options->role, "What one store alone holds, or whoever answers")
      ->check(CLI::IsMember({"legacy", "unified", "routed"}))
      ->capture_default_str();
  command->add_option("--lmdb", options->lmdb,
                      "A plain LMDB environment instead, directory or file, in use or not");
  options->server.AddTo(*command);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = RunExport(*options); });
}

}  // namespace switchback
