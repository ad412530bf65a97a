// Rows as an aligned table for people.
#pragma once

#include <string>
#include <vector>

namespace switchback {

// A line of `columns`, a line of dashes, a line a row; columns are as wide as their widest cell, at
// most 60 characters, after which a cell is cut. Control characters become spaces. Widths count
// code points.
std::string TextTable(const std::vector<std::string>& columns,
                      const std::vector<std::vector<std::string>>& rows);

}  // namespace switchback
