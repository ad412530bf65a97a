#include "rollback/backup_target.hpp"

#include <algorithm>

#include "rollback/backup_manifest.hpp"

namespace switchback {

bool IsValidTargetFileName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

Status CheckTargetNames(const std::string& id, const std::string& name) {
  if (!IsValidBackupId(id)) return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
  if (!IsValidTargetFileName(name))
    return Fail(ErrorCode::kInvalidArgument, "that is no name of a backup's file");
  return {};
}

}  // namespace switchback
