// A service with backups, and a directory that plays the place off the machine.
#pragma once

#include <algorithm>

#include "rollback/backup_target_options.hpp"
#include "rollback/backup_transfer.hpp"
#include "tests/unit/rollback/backup_world.hpp"

namespace switchback::test {

class TargetWorld : public BackupWorld {
 public:
  explicit TargetWorld(bool is_compressed = false) {
    std::filesystem::create_directory(target_path);
    options.is_compressed = is_compressed;
    options.open_target = [this] {
      BackupTargetOptions target;
      target.location = target_path;
      return OpenBackupTarget(target, options.directory);
    };
    Open();
    Fill();
  }

  Status Upload(const std::string& id) {
    BackupProgress progress(clock, 0);
    return UploadBackup(manager->directory(), id, *Must(options.open_target()), progress);
  }
  Status Download(const std::string& id) {
    BackupProgress progress(clock, 0);
    return DownloadBackup(*Must(options.open_target()), id, manager->directory(), clock, 0,
                          progress);
  }
  std::vector<std::string> RemoteIds() {
    std::vector<std::string> ids;
    for (const RemoteBackup& backup : Must(manager->ListRemote()).backups) ids.push_back(backup.id);
    return ids;
  }
  // A backup that is at the target and not here.
  std::string CreateRemote() {
    const std::string id = Create();
    Must(Upload(id));
    Must(manager->directory().Remove(id));
    return id;
  }
  [[nodiscard]] std::string RemoteFile(const std::string& id, const std::string& name) const {
    return target_path + "/" + id + "/" + name;
  }

  std::string target_path = dir.File("target");
};

inline std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace switchback::test
