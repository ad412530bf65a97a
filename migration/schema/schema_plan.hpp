// What has to run to bring a store's schema from where it is to where it shall be. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backends/sql_store.hpp"
#include "migration/schema/schema_files.hpp"

namespace switchback {

enum class SchemaGoalKind : std::uint8_t {
  kUp,    // `number` versions more; 0 = all
  kDown,  // `number` versions less
  kTo,    // to version `number`, up or down
};
struct SchemaGoal {
  SchemaGoalKind kind = SchemaGoalKind::kUp;
  std::uint64_t number = 0;
};

// How a version stands.
struct SchemaVersionStatus {
  std::uint64_t version = 0;
  std::string name;
  std::string state;       // "applied" "pending" "edited" "missing" (applied, without files)
  std::string applied_at;  // "" while pending
};

// Every version that files or store know, in order.
std::vector<SchemaVersionStatus> CompareSchema(const SchemaFiles& files,
                                               const std::vector<SchemaVersion>& applied);

// The changes in the order they run; none when the store is there already. Ups carry `applied_at`
// as
// "". Downs run the text that the store remembers. Errors (kRefused, with the reason): files with
// problems, an applied version whose file was edited, and on the way up a store that is newer than
// the files. kInvalidArgument: there is no such version.
Result<std::vector<SchemaChange>> PlanSchema(const SchemaFiles& files,
                                             const std::vector<SchemaVersion>& applied,
                                             const SchemaGoal& goal);

}  // namespace switchback
