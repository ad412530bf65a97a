// Which target there is, by the configuration.
#pragma once

#include <memory>
#include <string>

#include "rollback/backup_target.hpp"

namespace switchback {

struct BackupTargetOptions {
  std::string location;  // a directory's absolute path; "" = no target
};

// Looks at the form alone. kInvalidArgument with what is wrong.
Status CheckBackupTarget(const BackupTargetOptions& options);

// Opens the target, and looks whether it can be: once for each operation, so that what changed
// outside (a disk that was mounted) counts. `backups`: the directory of the backups here, which
// must be another one (kInvalidArgument). kUnavailable: none is configured.
Result<std::unique_ptr<BackupTarget>> OpenBackupTarget(const BackupTargetOptions& options,
                                                       const std::string& backups);

}  // namespace switchback
