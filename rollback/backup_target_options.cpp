#include "rollback/backup_target_options.hpp"

#include <filesystem>

#include "rollback/directory_target.hpp"

namespace switchback {

Status CheckBackupTarget(const BackupTargetOptions& options) {
  if (options.location.empty() || options.location.front() == '/') return {};
  return Fail(ErrorCode::kInvalidArgument,
              "backup_target: must be the absolute path of a directory");
}

Result<std::unique_ptr<BackupTarget>> OpenBackupTarget(const BackupTargetOptions& options,
                                                       const std::string& backups) {
  SB_RETURN_IF_ERROR(CheckBackupTarget(options));
  if (options.location.empty())
    return Fail(ErrorCode::kUnavailable,
                "there is no place for backups off this machine: set backup_target in the "
                "configuration and start the server again");
  std::error_code error;
  if (std::filesystem::equivalent(options.location, backups, error))
    return Fail(ErrorCode::kInvalidArgument,
                "backup_target is the directory of the backups themselves: name another one");
  return DirectoryTarget::Open(options.location);
}

}  // namespace switchback
