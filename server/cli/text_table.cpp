#include "server/cli/text_table.hpp"

#include <algorithm>
#include <string_view>

#include "common/check.hpp"

namespace switchback {
namespace {

constexpr std::size_t kCellWidthMax = 60;

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::size_t WidthOf(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

// The cell as it is shown: nothing that moves a terminal's cursor, nothing too wide.
std::string Cell(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (WidthOf(text) <= kCellWidthMax) return text;
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!IsContinuation(text[at]) && ++width == kCellWidthMax - 2)
      return text.substr(0, at) + "...";
  }
  return text;
}

std::string Line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t index = 0; index < cells.size(); ++index) {
    if (index > 0) line += "  ";
    line += cells[index];
    if (index + 1 < cells.size()) line.append(widths[index] - WidthOf(cells[index]), ' ');
  }
  return line + "\n";
}

}  // namespace

std::string TextTable(const std::vector<std::string>& columns,
                      const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines;
  lines.push_back(columns);
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(columns.size(), 0);
  for (auto& line : lines) {
    SB_CHECK(line.size() == columns.size(), "every row has every column");
    for (std::size_t index = 0; index < line.size(); ++index) {
      line[index] = Cell(line[index]);
      widths[index] = std::max(widths[index], WidthOf(line[index]));
    }
  }
  std::string table = Line(lines.front(), widths);
  for (std::size_t index = 0; index < widths.size(); ++index)
    table += (index > 0 ? "  " : "") + std::string(widths[index], '-');
  table += "\n";
  for (std::size_t index = 1; index < lines.size(); ++index) table += Line(lines[index], widths);
  return table;
}

}  // namespace switchback
