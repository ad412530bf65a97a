#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "backends/collection.hpp"
#include "common/file.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/server_api.hpp"
#include "server/cli/transfer_progress.hpp"
#include "server/errors.hpp"
#include "server/process.hpp"
#include "server/transfer/importer.hpp"
#include "server/transfer/output_file.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// More are counted, not printed.
constexpr std::uint64_t kShownBadMax = 20;

constexpr const char* kFooter =
    "Reads what `switchback export` writes (its --help has the formats) and stores it through the\n"
    "ordinary path of writes: both stores get it, and a batch is acknowledged when it is durable\n"
    "in the commit log. Without a server --data-dir is opened for it.\n"
    "\n"
    "Every line is checked before its batch is sent. At a line that is wrong the import stops:\n"
    "everything before it is in, and --from-line goes on there. With --skip-bad such lines are\n"
    "counted, shown and, with --rejects, written to a file that can be corrected and imported.\n"
    "In a CSV file a quote that is never closed always ends it.\n"
    "\n"
    "--on-conflict, when a key has a value already:\n"
    "  replace  the file's value counts; importing a file again ends in the same records\n"
    "  skip     what is there stays\n"
    "  fail     stops there, unless the value is the same; nothing of that batch is stored\n"
    "\n"
    "After a crash of either side import the same file again: with replace and fail what is in\n"
    "already makes no difference. Ctrl-C ends it behind the batch at hand.\n"
    "\n"
    "Examples:\n"
    "  switchback import all.jsonl --dry-run\n"
    "  switchback import users.csv --collection users --on-conflict skip\n"
    "  zstd -dc old.jsonl.zst | switchback import - --skip-bad --rejects bad.jsonl\n"
    "\n"
    "Exit codes: 0 done, 1 failed or a line was wrong, 2 usage, 3 writes are refused (safe mode,\n"
    "READ_ONLY).";

struct ImportOptions {
  ServerOptions server;
  ImportReaderOptions reader;
  ImporterOptions importer;
  std::string file;
  std::string format;
  std::string on_conflict = "replace";
  std::string rejects;
  bool is_dry_run = false;
};

Result<std::unique_ptr<ImportSink>> OpenSink(const ServerOptions& options) {
  auto api = ServerApi::Find(options);
  // Asked for something small first: whether anybody is there decides where the records go.
  const Status found = api ? [&]() -> Status {
    auto answer = api->Get("/v1/flags");
    return answer ? Status() : Status(Fail(answer.error()));
  }()
      : Status(Fail(api.error()));
  if (found) return NewServerSink(*std::move(api));
  const bool is_alone = found.error().code == ErrorCode::kUnavailable;
  if (!is_alone || !options.url.empty() || options.data_dir.empty()) return Fail(found.error());
  auto offline = OpenDirectorySink(options.data_dir);
  // A server does have it: what it said before is the reason.
  if (!offline && offline.error().code == ErrorCode::kConflict) return Fail(found.error());
  return offline;
}

// The file's size, for the percentage; nullopt for a pipe.
std::optional<std::uint64_t> SizeOf(int descriptor) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

class Import {
 public:
  Import(const ImportOptions& options, int descriptor)
      : options_(options),
        total_(SizeOf(descriptor)),
        reader_(ImportReader::Make(descriptor, options.reader)),
        progress_(
            std::cout, IsTerminal(),
            options.server.is_json ? TransferProgressForm::kJson : TransferProgressForm::kPeople,
            SystemClock()) {}

  // The exit code.
  int Run() {
    if (auto opened = Open(); !opened) return ReportError(opened.error(), options_.server.is_json);
    ImporterOptions options = options_.importer;
    options.is_bad_skipped = options.is_bad_skipped || options_.is_dry_run;
    options.on_bad = [this](std::uint64_t line, const Error& error, std::string_view text) {
      TakeBad(line, error, text);
    };
    options.on_batch = [this, &importer = importer_] {
      progress_.Show(importer->counts().records, reader_->bytes_read(), total_);
    };
    options.is_stopped = [this] { return stop_.has_come(); };
    importer_.emplace(*reader_, sink_.get(), std::move(options));
    Status done = importer_->Run();
    progress_.Finish();
    if (auto closed = Close(); !closed && done) done = closed;
    return Report(done);
  }

 private:
  Status Open() {
    if (!options_.rejects.empty()) {
      auto rejects = OutputFile::Open(options_.rejects, false);
      if (!rejects) return Fail(rejects.error());
      rejects_.emplace(*std::move(rejects));
    }
    if (options_.is_dry_run) return {};
    auto sink = OpenSink(options_.server);
    if (!sink) return Fail(sink.error());
    sink_ = *std::move(sink);
    return {};
  }

  Status Close() {
    Status closed;
    if (sink_ != nullptr)
      closed =
          sink_->Close(FormatCount(importer_->counts().stored) + " records from " + options_.file);
    if (rejects_ && has_rejects_) {
      auto written = rejects_status_ ? rejects_->Commit() : rejects_status_;
      if (closed) closed = written;
    }
    return closed;
  }

  void TakeBad(std::uint64_t line, const Error& error, std::string_view text) {
    progress_.Finish();
    const bool is_last = !options_.importer.is_bad_skipped && !options_.is_dry_run;
    if (++shown_ <= kShownBadMax && !is_last)
      std::cerr << "switchback: " << options_.file << ":" << line << ": " << error.message << "\n";
    if (shown_ == kShownBadMax + 1)
      std::cerr << "switchback: more lines are wrong; they are counted and not shown\n";
    if (!rejects_ || text.empty() || !rejects_status_) return;
    if (!has_rejects_) rejects_status_ = rejects_->Write(reader_->header());
    has_rejects_ = true;
    if (rejects_status_) rejects_status_ = rejects_->Write(std::string(text) + "\n");
  }

  [[nodiscard]] Json Summary(const char* state) const {
    const ImportCounts& counts = importer_->counts();
    return {{"state", state},
            {"dry_run", options_.is_dry_run},
            {"records", counts.records},
            {"stored", counts.stored},
            {"kept", counts.kept},
            {"bad", counts.bad},
            {"seconds", progress_.seconds()},
            {"records_per_second", progress_.RecordsPerSecond(counts.records)}};
  }

  int Report(const Status& done) {
    const ImportCounts& counts = importer_->counts();
    if (!done) return ReportFailure(done.error());
    if (options_.server.is_json) {
      PrintJson(Summary("done"));
    } else if (options_.is_dry_run) {
      std::cout << fmt::format(
          "checked: {} records are right, {} lines are wrong; nothing was "
          "written\n",
          FormatCount(counts.records), FormatCount(counts.bad));
    } else {
      std::cout << fmt::format(
          "imported: {} records stored, {} kept as they were, {} lines wrong, in {:.1f} s ({}/s)\n",
          FormatCount(counts.stored), FormatCount(counts.kept), FormatCount(counts.bad),
          progress_.seconds(),
          FormatCount(static_cast<std::uint64_t>(progress_.RecordsPerSecond(counts.records))));
    }
    return counts.bad == 0 ? kExitDone : kExitFailed;
  }

  int ReportFailure(const Error& error) {
    const ImportCounts& counts = importer_->counts();
    const std::string line = std::to_string(importer_->resume_line());
    const std::string message =
        options_.file + ": " + error.message +
        (options_.is_dry_run
             ? ""
             : fmt::format(". {} records are in ({} stored, {} kept); go on with --from-line {}",
                           FormatCount(counts.stored + counts.kept), FormatCount(counts.stored),
                           FormatCount(counts.kept), line));
    std::cerr << "switchback: " << message << "\n";
    if (options_.server.is_json) {
      Json document = Summary("failed");
      document["from_line"] = importer_->resume_line();
      document["error"] = {{"code", ErrorCodeName(error.code)}, {"message", message}};
      PrintJson(document);
    }
    const int code = ExitCode(error.code);
    return code == kExitUsage ? kExitFailed : code;  // the file is wrong, not the command
  }

  StopSignal stop_;  // first: its signals are those of threads made later, too
  const ImportOptions& options_;
  const std::optional<std::uint64_t> total_;
  const std::unique_ptr<ImportReader> reader_;
  TransferProgress progress_;
  std::unique_ptr<ImportSink> sink_;  // null in a dry run
  std::optional<Importer> importer_;
  std::optional<OutputFile> rejects_;
  Status rejects_status_;
  bool has_rejects_ = false;
  std::uint64_t shown_ = 0;
};

int RunImport(ImportOptions options) {
  const bool is_json = options.server.is_json;
  if (options.format.empty()) options.format = options.file.ends_with(".csv") ? "csv" : "jsonl";
  options.reader.format = options.format == "csv" ? TransferFormat::kCsv : TransferFormat::kJsonl;
  if (options.on_conflict == "skip") options.importer.on_conflict = OnConflict::kSkip;
  if (options.on_conflict == "fail") options.importer.on_conflict = OnConflict::kFail;
  if (options.file == "-") return Import(options, STDIN_FILENO).Run();
  auto file = OpenFile(options.file, O_RDONLY);
  if (!file) return ReportError(file.error(), is_json);
  return Import(options, file->get()).Run();
}

void AddFileOptions(CLI::App& command, ImportOptions& options) {
  command.add_option("FILE", options.file, "What to import; - is standard input")->required();
  command.add_option("--format", options.format, "[jsonl; csv for a file of that name]")
      ->check(CLI::IsMember({"jsonl", "csv"}));
  command
      .add_option("--collection", options.reader.default_collection,
                  "Of lines that name no collection")
      ->check([](const std::string& name) {
        return IsValidCollectionName(name) ? "" : "is no name of a collection";
      });
  command.add_option("--from-line", options.reader.from_line, "Pass over what begins before it")
      ->check(CLI::Range(std::uint64_t{1}, ~std::uint64_t{0}));
  command
      .add_option("--value-max", options.reader.value_bytes_max,
                  "Bytes of a value at most, as the server's value_bytes_max [64MiB]")
      ->transform(CLI::AsSizeValue(false));
}

}  // namespace

void AddImportCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("import", "Store the records of such a file");
  auto options = std::make_shared<ImportOptions>();
  AddFileOptions(*command, *options);
  command->add_option("--on-conflict", options->on_conflict, "When a key has a value already")
      ->check(CLI::IsMember({"replace", "skip", "fail"}))
      ->capture_default_str();
  command->add_option("--batch", options->importer.batch_count_max, "Records in one batch at most")
      ->check(CLI::Range(std::size_t{1}, kImportBatchCountMax))
      ->capture_default_str();
  command->add_flag("--dry-run", options->is_dry_run,
                    "Check the whole file; write nothing, ask no server");
  auto* skip = command->add_flag("--skip-bad", options->importer.is_bad_skipped,
                                 "Go on behind lines that are wrong");
  command->add_option("--rejects", options->rejects, "Write those lines to this file")->needs(skip);
  options->server.AddTo(*command);
  command->footer(kFooter);
  command->callback([options, &exit_code] { exit_code = RunImport(*options); });
}

}  // namespace switchback
