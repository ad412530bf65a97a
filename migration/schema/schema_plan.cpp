#include "migration/schema/schema_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.hpp"

namespace switchback {
namespace {

bool IsSame(const SchemaFile& file, const SchemaVersion& applied) {
  return file.name == applied.name && file.up_checksum == applied.up_checksum &&
         file.down_checksum == applied.down_checksum;
}

Result<std::uint64_t> TargetOf(const SchemaGoal& goal, std::uint64_t now, std::uint64_t latest) {
  switch (goal.kind) {
    case SchemaGoalKind::kUp:
      if (goal.number == 0) return std::max(now, latest);
      return std::min(now + std::min(goal.number, latest), std::max(now, latest));
    case SchemaGoalKind::kDown:
      if (goal.number > now)
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("there are {} versions to take back, not {}", now, goal.number));
      return now - goal.number;
    case SchemaGoalKind::kTo:
      if (goal.number > std::max(now, latest))
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("there is no version {}: the newest is {}", goal.number,
                                std::max(now, latest)));
      return goal.number;
  }
  SB_CHECK(false, "every kind of goal has a target");
}

Status CheckFiles(const SchemaFiles& files, const std::vector<SchemaVersion>& applied) {
  if (!files.problems.empty())
    return Fail(ErrorCode::kRefused,
                "the files of migrations are not in order: " + files.problems.front());
  for (const SchemaFile& file : files.versions) {
    if (file.version > applied.size()) break;
    const SchemaVersion& version = applied[file.version - 1];
    if (IsSame(file, version)) continue;
    return Fail(
        ErrorCode::kRefused,
        fmt::format("{} or {} was edited after version {} ({}) was applied at {}: put the "
                    "files back as they were, and make a new version for what is new",
                    file.up_file, file.down_file, file.version, version.name, version.applied_at));
  }
  return {};
}

SchemaChange UpOf(const SchemaFile& file) {
  SchemaChange change;
  change.direction = SchemaDirection::kUp;
  change.version = {file.version,       file.name, file.up_checksum,
                    file.down_checksum, "",        file.down_sql};
  change.sql = file.up_sql;
  change.origin = file.up_file;
  return change;
}

SchemaChange DownOf(const SchemaVersion& version) {
  SchemaChange change;
  change.direction = SchemaDirection::kDown;
  change.version = version;
  change.sql = version.down_sql;
  change.origin = fmt::format("{:04}_{}.down.sql", version.version, version.name);
  return change;
}

}  // namespace

std::vector<SchemaVersionStatus> CompareSchema(const SchemaFiles& files,
                                               const std::vector<SchemaVersion>& applied) {
  std::vector<SchemaVersionStatus> all;
  for (const SchemaVersion& version : applied) {
    SB_CHECK(version.version == all.size() + 1, "applied versions have no gaps");
    std::string state = "missing";
    if (version.version <= files.versions.size())
      state = IsSame(files.versions[version.version - 1], version) ? "applied" : "edited";
    all.push_back({version.version, version.name, state, version.applied_at});
  }
  for (const SchemaFile& file : files.versions) {
    if (file.version > applied.size()) all.push_back({file.version, file.name, "pending", ""});
  }
  return all;
}

Result<std::vector<SchemaChange>> PlanSchema(const SchemaFiles& files,
                                             const std::vector<SchemaVersion>& applied,
                                             const SchemaGoal& goal) {
  SB_RETURN_IF_ERROR(CheckFiles(files, applied));
  const std::uint64_t now = applied.size();
  const std::uint64_t latest = files.versions.size();
  auto target = TargetOf(goal, now, latest);
  if (!target) return Fail(target.error());
  const bool is_way_up = goal.kind == SchemaGoalKind::kUp || *target > now;
  if (is_way_up && now > latest)
    return Fail(ErrorCode::kRefused,
                fmt::format("the store has version {}, the files know {}: this is an older set of "
                            "files. `schema down` and `schema to` take versions back with what the "
                            "store remembers",
                            now, latest));
  std::vector<SchemaChange> changes;
  for (std::uint64_t version = now; version < *target; ++version)
    changes.push_back(UpOf(files.versions[version]));
  for (std::uint64_t version = now; version > *target; --version)
    changes.push_back(DownOf(applied[version - 1]));
  return changes;
}

}  // namespace switchback
