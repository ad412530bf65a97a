#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/history_source.hpp"
#include "server/cli/output.hpp"
#include "server/cli/text_table.hpp"
#include "server/errors.hpp"
#include "server/http/history_export.hpp"
#include "server/http/json_text.hpp"
#include "server/process.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

struct HistoryOptions {
  ServerOptions server;
  HistoryQuery query;
  bool is_markdown = false;
  bool is_csv = false;
  std::string output;
  std::string head;
  OperationNote note;
};

// To the file that was named, else to the terminal.
int Print(const HistoryOptions& options, const std::string& text) {
  if (options.output.empty()) {
    std::cout << text << std::flush;
    return kExitDone;
  }
  if (auto written = WriteFileAtomically(options.output, text); !written)
    return ReportError(written.error(), options.server.is_json);
  return kExitDone;
}

std::string TextOf(const Json& page) {
  const HistoryTable table = HistoryTableOf(page);
  const Json head = page.value("head", Json::object());
  return TextTable(table.columns, table.rows) +
         fmt::format("head: {} (entry {})\n", head.value("hash", ""), head.value("number", 0));
}

int List(const HistoryOptions& options) {
  auto source = HistorySource::Find(options.server);
  if (!source) return ReportError(source.error(), options.server.is_json);
  const auto page = source->List(options.query);
  if (!page) return ReportError(page.error(), options.server.is_json);
  if (options.is_csv) return Print(options, HistoryCsv(*page));
  if (options.is_markdown) return Print(options, HistoryMarkdown(*page));
  return Print(options, options.server.is_json ? JsonText(*page) : TextOf(*page));
}

void PrintOperation(const Json& shown) {
  const Json operation = shown.value("operation", Json::object());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : operation.items()) {
    if (name == "steps" || name == "detail" || name == "metrics") continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (!text.empty() && text != "[]") std::cout << fmt::format("{:<12} {}\n", name, text);
  }
  const Json metrics = operation.value("metrics", Json::object());
  for (const auto& [name, value] : metrics.items()) {
    if (!value.is_null()) std::cout << fmt::format("{:<12} {}\n", name, value.dump());
  }
  for (const Json& step : operation.value("steps", Json::array()))
    rows.push_back({step.value("name", ""), step.value("status", ""), step.value("started_at", ""),
                    step.value("ended_at", ""), step.value("detail", "")});
  if (!rows.empty())
    std::cout << "\n" << TextTable({"step", "status", "started", "ended", "detail"}, rows);
  const HistoryTable entries = HistoryTableOf(shown);
  std::cout << "\nin the history:\n" << TextTable(entries.columns, entries.rows);
}

int Show(const HistoryOptions& options) {
  auto source = HistorySource::Find(options.server);
  if (!source) return ReportError(source.error(), options.server.is_json);
  const auto shown = source->Show(options.note.operation);
  if (!shown) return ReportError(shown.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*shown);
  } else {
    PrintOperation(*shown);
  }
  return kExitDone;
}

int AddNote(HistoryOptions options) {
  if (options.note.actor.empty()) options.note.actor = LocalUser();
  auto source = HistorySource::Find(options.server);
  if (!source) return ReportError(source.error(), options.server.is_json);
  const auto added = source->AddNote(options.note);
  if (!added) return ReportError(added.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*added);
  } else {
    std::cout << fmt::format("entry {}: a note on operation {}\n", added->value("number", 0),
                             options.note.operation);
  }
  return kExitDone;
}

void PrintVerdict(const Json& verdict) {
  if (!verdict.value("is_intact", false)) {
    std::cout << fmt::format("history: BROKEN at entry {}: {}\n", verdict.value("broken_at", 0),
                             verdict.value("problem", ""));
    return;
  }
  std::cout << fmt::format("history: intact, {} entries\nhead: {}\n", verdict.value("entries", 0),
                           verdict.value("head", ""));
  if (const Json at = verdict.value("expected_head_at", Json()); at.is_number())
    std::cout << "the head that was given is that of entry " << at.dump() << "\n";
}

int Verify(const HistoryOptions& options) {
  auto source = HistorySource::Find(options.server);
  if (!source) return ReportError(source.error(), options.server.is_json);
  const auto verdict = source->Verify(options.head);
  if (!verdict) return ReportError(verdict.error(), options.server.is_json);
  if (options.server.is_json) {
    PrintJson(*verdict);
  } else {
    PrintVerdict(*verdict);
  }
  return verdict->value("is_intact", false) ? kExitDone : kExitFailed;
}

using Options = std::shared_ptr<HistoryOptions>;

void AddSubcommands(CLI::App& history, const Options& options, int& exit_code) {
  const auto add = [&](const char* name, const char* description) {
    CLI::App* command = history.add_subcommand(name, description);
    options->server.AddTo(*command);
    return command;
  };
  const auto add_id = [&](CLI::App& command) {
    command.add_option("ID", options->note.operation, "Number of the operation")
        ->required()
        ->check(CLI::PositiveNumber);
  };
  CLI::App* show = add("show", "Show an operation with its steps, figures and notes");
  add_id(*show);
  show->callback([options, &exit_code] { exit_code = Show(*options); });
  CLI::App* note = add("note", "Add what a person has to say about an operation");
  add_id(*note);
  note->add_option("TEXT", options->note.text, "The note")->required();
  note->add_option("--kind", options->note.kind, "root-cause, lesson or note [note]")
      ->check(CLI::IsMember({"root-cause", "lesson", "note"}));
  note->add_option("--actor", options->note.actor, "Who says it [you]");
  note->callback([options, &exit_code] { exit_code = AddNote(*options); });
  CLI::App* verify = add("verify", "Look whether every entry is as it was written");
  verify->add_option("--head", options->head, "A head that you kept elsewhere: it must be in it");
  verify->callback([options, &exit_code] { exit_code = Verify(*options); });
}

void AddListOptions(CLI::App& history, const Options& options) {
  options->server.AddTo(history);
  options->query.count_max = 50;
  history.add_option(
      "--kind", options->query.kind,
      "Of one kind: migration, verify, backup, schema, rollback-flag, audit, note ...");
  history.add_option("--limit", options->query.count_max, "The newest N, 0 for all [50]");
  CLI::Option* markdown = history.add_flag("--markdown", options->is_markdown, "As Markdown");
  CLI::Option* csv = history.add_flag("--csv", options->is_csv, "As CSV, for spreadsheets");
  markdown->excludes(csv)->excludes("--json");
  csv->excludes("--json");
  history.add_option("--output", options->output, "Write it to this file");
}

}  // namespace

void AddHistoryCommand(CLI::App& app, int& exit_code) {
  CLI::App* history = app.add_subcommand("history", "What was done, by whom, and how it ended");
  history->require_subcommand(0, 1);
  history->footer(
      "Entries are only ever added, and each carries the hash of the one before it. Keep the head\n"
      "that `verify` prints elsewhere: with it a later `verify --head` also finds an end that was\n"
      "cut off. With --data-dir it works without a server, too. Exit code 1: it was changed.\n"
      "\n"
      "Examples:\n"
      "  switchback history --kind backup --limit 10\n"
      "  switchback history --limit 0 --csv --output history.csv --data-dir /var/lib/app\n"
      "  switchback history note 17 'the disk was full' --kind root-cause\n"
      "  switchback history verify --head 5f70bf18...");
  auto options = std::make_shared<HistoryOptions>();
  AddListOptions(*history, options);
  AddSubcommands(*history, options, exit_code);
  history->callback([history, options, &exit_code] {
    if (history->get_subcommands().empty()) exit_code = List(*options);
  });
}

}  // namespace switchback
