// Which target there is, by the configuration.
#pragma once

#include <memory>
#include <string>

#include "rollback/backup_target.hpp"
#include "rollback/s3_upload.hpp"

namespace switchback {

struct BackupTargetOptions {
  std::string location;  // a directory's absolute path, or s3://BUCKET[/PREFIX]; "" = no target
  // Of a bucket:
  std::string endpoint;  // "" = Amazon's of the region
  std::string region = "us-east-1";
  std::string credentials_file;  // "" = the environment only
  std::string ca_file;           // for a certificate of one's own; "" = the machine's
  int path_style = -1;           // 0, 1; -1 = as it is best
  bool is_plain_http_allowed = false;
  std::uint64_t part_bytes = kS3PartBytesDefault;
};

// Looks at the form alone. kInvalidArgument with what is wrong.
Status CheckBackupTarget(const BackupTargetOptions& options);

// Opens the target, and looks whether it can be: once for each operation, so that what changed
// outside (a disk that was mounted, keys that were replaced) counts. Nothing is asked of a bucket
// yet. `backups`: the directory of the backups here, which must be another one (kInvalidArgument).
// kUnavailable: none is configured. Others: those of LoadTargetCredentials.
Result<std::unique_ptr<BackupTarget>> OpenBackupTarget(const BackupTargetOptions& options,
                                                       const std::string& backups);

}  // namespace switchback
