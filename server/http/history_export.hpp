// The history as documents for people and for spreadsheets.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace switchback {

// A page (HistoryPageJson) as a Markdown table, with the head below it.
std::string HistoryMarkdown(const nlohmann::ordered_json& page);
// The same as CSV (RFC 4180, UTF-8) with a line of names.
std::string HistoryCsv(const nlohmann::ordered_json& page);
// The columns and the rows that people want to see, as they are.
struct HistoryTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
HistoryTable HistoryTableOf(const nlohmann::ordered_json& page);

// A text as a cell of a Markdown table: nothing in it is markup.
std::string MarkdownCell(std::string_view text);
// A text as a CSV field: quoted where needed, and never a formula for a spreadsheet.
std::string CsvField(std::string_view text);

}  // namespace switchback
