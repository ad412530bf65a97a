// Which targets there are.
#pragma once

#include <cstdint>
#include <string>

namespace switchback::bench {

enum class TargetKind : std::uint8_t {
  kService,  // a role or a percentage
  kLmdb,
  kSqlite,
  kPaired,  // LMDB, then SQLite
};

struct TargetName {
  TargetKind kind = TargetKind::kService;
  double percentage = 0;  // kService: of the keys that unified answers
  std::string text;       // as it was asked for

  [[nodiscard]] bool is_bare() const { return kind != TargetKind::kService; }
};

}  // namespace switchback::bench
