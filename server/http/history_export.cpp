#include "server/http/history_export.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// A member as text: "" for null and for what is not there.
std::string Text(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>()
                            : found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Metric(const Json& record, const char* name) {
  const auto metrics = record.find("metrics");
  return metrics == record.end() || !metrics->is_object() ? "" : Text(*metrics, name);
}

std::string Joined(const Json& record, const char* name) {
  const auto list = record.find(name);
  std::string text;
  if (list == record.end() || !list->is_array()) return text;
  for (const Json& one : *list)
    text += (text.empty() ? "" : "; ") + (one.is_string() ? one.get<std::string>() : one.dump());
  return text;
}

// What was done: an operation's action, a deed, or the kind of a note.
std::string What(const Json& record) {
  const std::string note = Text(record, "note");
  return note.empty() ? Text(record, "action") : note;
}

// What else there is to say: a note's text, a deed's detail, an operation's errors.
std::string Words(const Json& record) {
  if (const std::string text = Text(record, "text"); !text.empty()) return text;
  return record.contains("audit") ? Text(record, "detail") : Joined(record, "errors");
}

using Row = std::vector<std::string>;

const Row kCsvColumns{"number",     "time",     "kind",     "operation", "action",
                      "actor",      "reason",   "from",     "to",        "status",
                      "started_at", "ended_at", "seconds",  "records",   "records_restored",
                      "errors",     "attempts", "evidence", "text",      "hash"};

Row CsvRow(const Json& entry) {
  const Json record = entry.value("record", Json::object());
  return {Text(entry, "number"),
          Text(entry, "time"),
          Text(entry, "kind"),
          Text(record, "operation"),
          What(record),
          Text(record, "actor"),
          Text(record, "reason"),
          Text(record, "from"),
          Text(record, "to"),
          Text(record, "status"),
          Text(record, "started_at"),
          Text(record, "ended_at"),
          Metric(record, "seconds"),
          Metric(record, "records"),
          Metric(record, "records_restored"),
          Metric(record, "errors"),
          Metric(record, "attempts"),
          Text(record, "evidence"),
          Words(record),
          Text(entry, "hash")};
}

std::string Passage(const Json& record) {
  const std::string from = Text(record, "from");
  const std::string to = Text(record, "to");
  if (from.empty() && to.empty()) return "";
  return from + (from.empty() || to.empty() ? "" : " ") + (to.empty() ? "" : "-> " + to);
}

const Row kPeopleColumns{"#",   "time",       "operation", "kind",    "what",   "who",
                         "why", "from -> to", "status",    "seconds", "details"};

Row PeopleRow(const Json& entry) {
  const Json record = entry.value("record", Json::object());
  const std::string evidence = Text(record, "evidence");
  std::string words = Words(record);
  if (!evidence.empty()) words += (words.empty() ? "" : "; ") + ("evidence " + evidence);
  return {Text(entry, "number"),     Text(entry, "time"), Text(record, "operation"),
          Text(entry, "kind"),       What(record),        Text(record, "actor"),
          Text(record, "reason"),    Passage(record),     Text(record, "status"),
          Metric(record, "seconds"), std::move(words)};
}

std::vector<Row> Rows(const Json& page, Row (*row_of)(const Json&)) {
  std::vector<Row> rows;
  for (const Json& entry : page.value("entries", Json::array())) rows.push_back(row_of(entry));
  return rows;
}

std::string HeadLine(const Json& page) {
  const Json head = page.value("head", Json::object());
  return fmt::format("Head: entry {}, {}", Text(head, "number"), Text(head, "hash"));
}

std::string MarkdownLine(const Row& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + MarkdownCell(cell) + " |";
  return line + "\n";
}

std::string CsvLine(const Row& fields) {
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "" : ",") + CsvField(field);
  return line + "\r\n";
}

}  // namespace

std::string MarkdownCell(std::string_view text) {
  std::string cell;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (c == '\n' || c == '\r') {
      cell += "<br>";
    } else if (c == '&') {
      cell += "&amp;";
    } else if (c == '<') {
      cell += "&lt;";
    } else if (c == '>') {
      cell += "&gt;";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      cell += ' ';
    } else {
      if (std::string_view("\\|`*_[]~").find(c) != std::string_view::npos) cell += '\\';
      cell += c;
    }
  }
  return cell;
}

// A spreadsheet takes what begins with one of these for a formula and runs it; an apostrophe makes
// it text. Also behind spaces, which some of them leave out.
std::string CsvField(std::string_view text) {
  std::string field;
  const std::size_t first = text.find_first_not_of(' ');
  if (first != std::string_view::npos &&
      std::string_view("=+-@\t\r\n").find(text[first]) != std::string_view::npos)
    field = "'";
  for (const char c : text) field += c == '\0' ? ' ' : c;
  if (field.find_first_of(",\"\r\n ") == std::string::npos) return field;
  std::string quoted = "\"";
  for (const char c : field) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string HistoryMarkdown(const Json& page) {
  std::string text = "# History\n\n" + MarkdownLine(kPeopleColumns) + "|";
  for (std::size_t i = 0; i < kPeopleColumns.size(); ++i) text += "---|";
  text += "\n";
  for (const Row& row : Rows(page, PeopleRow)) text += MarkdownLine(row);
  return text + "\n" + HeadLine(page) + "\n";
}

std::string HistoryCsv(const Json& page) {
  std::string text = CsvLine(kCsvColumns);
  for (const Row& row : Rows(page, CsvRow)) text += CsvLine(row);
  return text;
}

HistoryTable HistoryTableOf(const Json& page) {
  return {kPeopleColumns, Rows(page, PeopleRow)};
}

}  // namespace switchback
