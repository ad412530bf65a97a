// Backups on their way to a target, and back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "rollback/backup_directory.hpp"
#include "rollback/backup_progress.hpp"
#include "rollback/backup_target.hpp"

namespace switchback {

// What a target says of a backup. Nothing of it was checked but the manifest's own checksum.
struct RemoteBackup {
  std::string id;
  std::optional<BackupManifest> manifest;  // nullopt: damaged
  std::string damage;                      // "" = nothing
};

struct RemoteBackups {
  std::string target;  // its name
  std::vector<RemoteBackup> backups;
};

// Copies a backup to the target: its files, then a look at their sizes there, the manifest last. A
// call that was interrupted at any moment is gone on with by the next one. Fine when the same
// backup is there already. Errors: kNotFound, kCorruption (it is damaged here, or a file is not
// what the manifest says), kConflict (another backup of that id is there), and those of the target.
Status UploadBackup(const BackupDirectory& directory, const std::string& id, BackupTarget& target,
                    BackupProgress& progress);

// Copies a backup from the target into the directory. It is verified in full apart from the others,
// and published after that; on any error nothing is left of it. Takes `space_margin_bytes` more
// than it needs for granted. Errors: kNotFound (not at the target), kConflict (one of that id is
// here), kNoSpace, kCorruption (what is wrong with it), and those of the target.
Status DownloadBackup(BackupTarget& target, const std::string& id, const BackupDirectory& directory,
                      const Clock& clock, std::uint64_t space_margin_bytes,
                      BackupProgress& progress);

// The newest backups at the target, at most `count_max`.
Result<RemoteBackups> ListRemoteBackups(BackupTarget& target, std::size_t count_max,
                                        BackupProgress& progress);

}  // namespace switchback
