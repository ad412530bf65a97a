#include "server/cli/top/top_frame.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/cli/output.hpp"
#include "server/cli/progress.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using Lines = std::vector<TopLine>;

constexpr std::size_t kSideBySideColumns = 79;
constexpr std::size_t kBarWidth = 12;

// ---- values of documents that may lack them

const Json& At(const Json& document, const char* name) {
  static const Json kNothing;
  const auto found = document.is_object() ? document.find(name) : document.end();
  return found != document.end() ? *found : kNothing;
}

template <class... Names>
const Json& At(const Json& document, const char* name, Names... names) {
  return At(At(document, name), names...);
}

double Number(const Json& value) {
  return value.is_number() ? value.get<double>() : 0;
}

std::string Text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

bool IsTrue(const Json& value) {
  return value.is_boolean() && value.get<bool>();
}

std::string Count(double value) {
  return FormatCount(static_cast<std::uint64_t>(std::max(value, 0.0)));
}

// "0.3", "12", "1,234".
std::string Rate(double per_second) {
  return per_second > 0 && per_second < 10 ? fmt::format("{:.1f}", per_second) : Count(per_second);
}

std::string Micros(const Json& value) {
  return value.is_number() && Number(value) > 0 ? FormatMicroseconds(Number(value)) : "-";
}

std::string Bytes(const Json& value) {
  return FormatBytes(static_cast<std::uint64_t>(std::max(Number(value), 0.0)));
}

// Text from the server goes to a terminal: nothing in it may be an escape sequence, and each
// character must be one column wide. A character of several bytes becomes one '?'.
std::string Clean(std::string_view text, std::size_t columns) {
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (clean.size() == columns) break;
    if ((byte & 0xc0) == 0x80) continue;
    clean += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return clean;
}

void Add(Lines& lines, std::string text, TopStyle style = TopStyle::kPlain) {
  lines.push_back({std::move(text), style});
}

// ---- head

Lines HeadLines(const TopSample& sample, const TopView& view) {
  const Json& status = sample.status;
  const Json& routing = At(status, "routing");
  Lines lines;
  Add(lines,
      fmt::format("{}stage {}   flag {} % asked, {} % in effect   flips {}   clients {} + {}",
                  view.is_paused ? "PAUSED   " : "", Text(At(status, "stage")),
                  FormatPercent(Number(At(routing, "desired_percentage"))),
                  FormatPercent(Number(At(routing, "effective_percentage"))),
                  Count(Number(At(routing, "flips"))),
                  Count(Number(At(status, "server", "resp", "connections"))),
                  Count(Number(At(status, "server", "http", "connections")))),
      TopStyle::kTitle);
  const Json& writes = At(status, "writes");
  const auto rate = [](const std::optional<double>& value) { return value ? Rate(*value) : "-"; };
  Add(lines, fmt::format("writes {}/s, p50 {}, p99 {}, errors {}   requests {}/s",
                         rate(sample.writes_per_second), Micros(At(writes, "latency", "p50_us")),
                         Micros(At(writes, "latency", "p99_us")),
                         Count(Number(At(writes, "errors"))), rate(sample.requests_per_second)));
  const double used = Number(At(status, "memtable", "bytes"));
  const double limit = std::max(Number(At(status, "memtable", "bytes_max")), 1.0);
  Add(lines,
      fmt::format("log at batch {}, {}   memtable {} ({:.0f} %)   memory {}",
                  Count(Number(At(status, "last_sequence"))), Bytes(At(status, "log", "bytes")),
                  Bytes(At(status, "memtable", "bytes")), 100 * used / limit,
                  Bytes(At(status, "process", "resident_bytes"))),
      used > 0.8 * limit ? TopStyle::kWarning : TopStyle::kPlain);
  if (IsTrue(At(status, "log", "is_failed")))
    Add(lines, "LOG FAILED, writes are refused: " + Text(At(status, "log", "error")),
        TopStyle::kBad);
  if (const std::string hold = Text(At(writes, "hold_reason")); !hold.empty())
    Add(lines, "writes are refused: " + hold, TopStyle::kBad);
  if (const std::string why = Text(At(routing, "reason")); !why.empty())
    Add(lines, "routing: " + why, TopStyle::kWarning);
  if (const std::string why = Text(At(status, "flags", "warning")); !why.empty())
    Add(lines, "flags file: " + why, TopStyle::kWarning);
  return lines;
}

Lines StoreLines(const TopSample& sample) {
  Lines lines;
  for (const Role role : kRoles) {
    const Json& store = At(sample.status, "followers", RoleName(role));
    const std::string state = Text(At(store, "state"));
    std::string text =
        fmt::format("{:<8} {:<7} {:<12} lag {} batches, {} ms   {}", RoleName(role),
                    Text(At(store, "engine")), state, Count(Number(At(store, "lag_batches"))),
                    Count(Number(At(store, "lag_ms"))), Bytes(At(store, "file_bytes")));
    if (Number(At(store, "wal_bytes")) > 0) text += " + " + Bytes(At(store, "wal_bytes")) + " wal";
    Add(lines, std::move(text),
        state == "failed"    ? TopStyle::kBad
        : state == "in-sync" ? TopStyle::kPlain
                             : TopStyle::kWarning);
    if (const std::string why = Text(At(store, "reason")); !why.empty())
      Add(lines, "         " + why, TopStyle::kWarning);
  }
  return lines;
}

// ---- operations

// Names of what happened of late, sorted.
std::vector<std::string> OperationNames(const Json& operations, const TopView& view) {
  std::vector<std::string> names;
  if (operations.is_object())
    for (const auto& [name, both] : operations.items()) names.push_back(name);
  const auto most = [&](const std::string& name, const char* what) {
    double value = 0;
    for (const Role role : kRoles)
      if (!view.focus || *view.focus == role)
        value = std::max(value, Number(At(operations, name.c_str(), RoleName(role), what)));
    return value;
  };
  std::sort(names.begin(), names.end());
  if (view.sort == TopSort::kName) return names;
  const char* what = view.sort == TopSort::kRate ? "per_second" : "p99_us";
  std::stable_sort(names.begin(), names.end(),
                   [&](const auto& a, const auto& b) { return most(a, what) > most(b, what); });
  return names;
}

std::string Cells(const Json& role) {
  if (!role.is_object()) return fmt::format(" {:>9} {:>6} {:>8} {:>8}", "-", "-", "-", "-");
  return fmt::format(" {:>9} {:>6} {:>8} {:>8}", Rate(Number(At(role, "per_second"))),
                     Count(Number(At(role, "errors"))), Micros(At(role, "p50_us")),
                     Micros(At(role, "p99_us")));
}

TopStyle StyleOf(const Json& one) {
  const auto has_errors = [&](Role role) { return Number(At(one, RoleName(role), "errors")) > 0; };
  return has_errors(Role::kLegacy) || has_errors(Role::kUnified) ? TopStyle::kBad
                                                                 : TopStyle::kPlain;
}

Lines OperationLines(const TopSample& sample, const TopView& view) {
  const Json& operations = At(sample.comparison, "of_late", "operations");
  const auto names = OperationNames(operations, view);
  Lines lines;
  if (view.focus) {
    Add(lines,
        fmt::format("{:<9} {:<8} {:>8} {:>6} {:>8} {:>8} {:>8} {:>8}", "OPERATION",
                    RoleName(*view.focus), "/s", "errors", "p50", "p95", "p99", "p99.9"),
        TopStyle::kHead);
    for (const std::string& name : names) {
      const Json& one = At(operations, name.c_str(), RoleName(*view.focus));
      Add(lines,
          fmt::format("{:<18} {:>8} {:>6} {:>8} {:>8} {:>8} {:>8}", name,
                      Rate(Number(At(one, "per_second"))), Count(Number(At(one, "errors"))),
                      Micros(At(one, "p50_us")), Micros(At(one, "p95_us")),
                      Micros(At(one, "p99_us")), Micros(At(one, "p999_us"))),
          Number(At(one, "errors")) > 0 ? TopStyle::kBad : TopStyle::kPlain);
    }
  } else if (view.columns >= kSideBySideColumns) {
    Add(lines,
        fmt::format("{:<9} {:>9} {:>6} {:>8} {:>8} {:>9} {:>6} {:>8} {:>8}", "OPERATION",
                    "legacy/s", "errors", "p50", "p99", "unified/s", "errors", "p50", "p99"),
        TopStyle::kHead);
    for (const std::string& name : names) {
      const Json& one = At(operations, name.c_str());
      Add(lines,
          fmt::format("{:<9}{}{}", name, Cells(At(one, "legacy")), Cells(At(one, "unified"))),
          StyleOf(one));
    }
  } else {
    Add(lines,
        fmt::format("{:<7} {:<3} {:>9} {:>6} {:>8} {:>8}", "OPERAT.", "", "/s", "errors", "p50",
                    "p99"),
        TopStyle::kHead);
    for (const std::string& name : names) {
      const Json& one = At(operations, name.c_str());
      for (const Role role : kRoles)
        Add(lines,
            fmt::format("{:<7} {:<3}{}", name, std::string(RoleName(role)).substr(0, 3),
                        Cells(At(one, RoleName(role)))),
            StyleOf(one));
    }
  }
  if (names.empty()) Add(lines, "nothing of late");
  return lines;
}

// ---- guard

Lines GuardLines(const TopSample& sample, const TopView& view) {
  const Json& guard = At(sample.comparison, "guard");
  const std::string state = Text(At(guard, "state"));
  if (state.empty()) return {};
  Lines lines;
  std::string head = "guard " + state + (IsTrue(At(guard, "dry_run")) ? " (dry run)" : "") +
                     "   trips " + Count(Number(At(guard, "trips")));
  if (const Json& latched = At(guard, "latched"); latched.is_object())
    head += "   LATCHED: " + Text(At(latched, "reason"));
  if (const Json& proposal = At(guard, "proposal"); proposal.is_object())
    head += "   PROPOSES: " + Text(At(proposal, "reason"));
  const bool is_calm = state == "watching" || state == "off" || state == "waiting";
  Add(lines, std::move(head), is_calm ? TopStyle::kTitle : TopStyle::kBad);
  const std::size_t each = view.columns >= kSideBySideColumns ? 2 : 1;
  std::size_t count = 0;
  double worst = 0;
  std::string line;
  const auto flush = [&] {
    if (!line.empty())
      Add(lines, std::move(line),
          worst > 0.8   ? TopStyle::kBad
          : worst > 0.4 ? TopStyle::kWarning
                        : TopStyle::kPlain);
    line.clear();
    worst = 0;
  };
  for (const Json& stream : At(guard, "streams")) {
    const double sum = Number(At(stream, "sum"));
    const double limit = std::max(Number(At(stream, "limit")), 1e-9);
    worst = std::max(worst, sum / limit);
    const auto filled = static_cast<std::size_t>(std::clamp(sum / limit, 0.0, 1.0) * 8);
    line += fmt::format("  {:<12} {:>5.1f}/{:<5.1f} [{:<8}]{}", Text(At(stream, "stream")), sum,
                        limit, std::string(filled, '#'), each == 2 ? " " : "");
    if (++count % each == 0) flush();
  }
  flush();
  for (const Json& alert : At(guard, "alerts"))
    Add(lines, "  alert: " + (alert.is_string() ? Text(alert) : Text(At(alert, "text"))),
        TopStyle::kWarning);
  return lines;
}

// ---- what is under way

std::string Remaining(const Json& eta) {
  return eta.is_number() ? ", " + FormatSeconds(Number(eta)) + " left" : "";
}

void AddProgress(Lines& lines, const std::string& name, double percent, const std::string& text,
                 TopStyle style = TopStyle::kTitle) {
  Add(lines, fmt::format("{:<10} {}", name, ProgressBar(percent, text, kBarWidth)), style);
}

Lines WorkLines(const TopSample& sample) {
  Lines lines;
  const Json& migration = At(sample.status, "migration");
  const std::string state = Text(At(migration, "state"));
  if (state == "running" || state == "paused" || state == "rolling-back" || state == "completing")
    AddProgress(
        lines, "migration", Number(At(migration, "percent")),
        fmt::format("{} {}, {} of {} records, {}/s{} {}", state, Text(At(migration, "phase")),
                    Count(Number(At(migration, "records_done"))),
                    Count(Number(At(migration, "records_total"))),
                    Count(Number(At(migration, "records_per_second"))),
                    Remaining(At(migration, "eta_seconds")), Text(At(migration, "waiting"))));
  if (state == "failed")
    Add(lines, "migration  failed: " + Text(At(migration, "error")), TopStyle::kBad);
  if (Text(At(sample.verify, "state")) == "running")
    AddProgress(lines, "verify", Number(At(sample.verify, "percent")),
                fmt::format("{} of {} records{}, {} differ",
                            Count(Number(At(sample.verify, "records_compared"))),
                            Count(Number(At(sample.verify, "records_total"))),
                            Remaining(At(sample.verify, "eta_seconds")),
                            Count(Number(At(sample.verify, "differences")))),
                Number(At(sample.verify, "differences")) > 0 ? TopStyle::kBad : TopStyle::kTitle);
  if (Text(At(sample.backup, "state")) == "running")
    AddProgress(lines, "backup", Number(At(sample.backup, "percent")),
                fmt::format("{} {}, {}{}", Text(At(sample.backup, "operation")),
                            Text(At(sample.backup, "id")), Text(At(sample.backup, "stage")),
                            Remaining(At(sample.backup, "eta_seconds"))));
  const std::string rollout = Text(At(sample.rollout, "state"));
  if (rollout == "running" || rollout == "paused" || rollout == "aborting")
    AddProgress(lines, "rollout", Number(At(sample.rollout, "percent")),
                fmt::format("{}, step {} of {} at {} %{} {}", rollout,
                            Count(Number(At(sample.rollout, "step"))),
                            Count(Number(At(sample.rollout, "step_count"))),
                            FormatPercent(Number(At(sample.rollout, "percentage"))),
                            Remaining(At(sample.rollout, "eta_seconds")),
                            Text(At(sample.rollout, "hold"))));
  return lines;
}

Lines HistoryLines(const TopSample& sample) {
  Lines lines;
  for (const Json& entry : At(sample.history, "entries")) {
    const Json& record = At(entry, "record");
    const std::string time = Text(At(entry, "time"));
    const std::string what = Text(At(entry, "kind")) == "audit"
                                 ? Text(At(record, "action")) + "  " + Text(At(record, "detail"))
                                 : Text(At(record, "kind")) + "  " + Text(At(record, "status")) +
                                       "  " + Text(At(record, "reason")) + Text(At(record, "text"));
    const bool is_bad = Text(At(record, "status")) == "FAILED";
    Add(lines,
        fmt::format("{}  {}  {}",
                    time.size() >= 19 ? time.substr(5, 5) + " " + time.substr(11, 8) : time, what,
                    Text(At(record, "actor"))),
        is_bad ? TopStyle::kBad : TopStyle::kPlain);
  }
  return lines;
}

// ---- help

Lines HelpLines() {
  Lines lines;
  Add(lines, "switchback top: what the server does now, asked anew each interval",
      TopStyle::kTitle);
  for (const char* text :
       {"", "q       quit", "p space pause, and go on",
        "s       sort operations by name, by rate, by p99",
        "r       operations of both roles, of legacy, of unified", "? h     this page, and back",
        "", "Rates, errors and latencies of operations are those of late; p50 and p99 of",
        "writes are since the server's start. \"apply\" is a store's following of the log.",
        "clients A + B: connections of RESP and of HTTP (this page has one).",
        "guard: S/h is how much speaks for going back to legacy; at h it goes back."})
    Add(lines, text);
  return lines;
}

void Append(Lines& lines, Lines more, bool has_gap = true) {
  if (more.empty()) return;
  if (has_gap && !lines.empty()) Add(lines, "");
  std::move(more.begin(), more.end(), std::back_inserter(lines));
}

Lines TitleLines(const TopSample* sample, const TopView& view) {
  Lines lines;
  if (sample != nullptr)
    Add(lines, fmt::format("switchback {}  {}  up {}  {} UTC", Text(At(sample->status, "version")),
                           view.server, FormatSeconds(Number(At(sample->status, "uptime_seconds"))),
                           sample->time));
  if (!view.trouble.empty())
    Add(lines, "NO ANSWER: " + view.trouble + "; trying again", TopStyle::kBad);
  if (sample == nullptr && view.trouble.empty()) Add(lines, "asking " + view.server + " ...");
  return lines;
}

Lines Body(const TopSample& sample, const TopView& view) {
  Lines lines;
  Append(lines, HeadLines(sample, view), false);
  Append(lines, WorkLines(sample), false);
  Append(lines, StoreLines(sample));
  Append(lines, OperationLines(sample, view));
  Append(lines, GuardLines(sample, view));
  Append(lines, HistoryLines(sample));
  return lines;
}

}  // namespace

std::vector<TopLine> TopFrame(const TopSample* sample, const TopView& view) {
  Lines lines;
  if (view.is_help) {
    lines = HelpLines();
  } else {
    lines = TitleLines(sample, view);
    if (sample != nullptr) Append(lines, Body(*sample, view), false);
  }
  const bool has_footer = view.has_keys && view.rows > 1;
  const std::size_t body_rows = has_footer ? view.rows - 1 : view.rows;
  if (view.rows > 0 && lines.size() > body_rows) lines.resize(body_rows);
  if (has_footer) {
    lines.resize(body_rows);
    Add(lines, "q quit  p pause  s sort  r role  ? help", TopStyle::kHead);
  }
  for (TopLine& line : lines) line.text = Clean(line.text, view.columns);
  return lines;
}

}  // namespace switchback
