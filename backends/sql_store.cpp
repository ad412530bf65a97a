#include "backends/sql_store.hpp"

#include <algorithm>

namespace switchback {

bool StoreReport::is_ok() const {
  return std::all_of(checks.begin(), checks.end(),
                     [](const StoreCheck& check) { return check.is_ok; });
}

std::string StoreReport::Problems() const {
  std::string problems;
  for (const StoreCheck& check : checks) {
    if (check.is_ok) continue;
    if (!problems.empty()) problems += "; ";
    problems += check.name + ": " + check.detail;
  }
  return problems;
}

}  // namespace switchback
