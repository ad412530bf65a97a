// Backups in a directory that is elsewhere: another disk, NFS. It has the form of a directory of
// backups, so that `switchback backup list --backups PATH` and `export` read it as it is.
//
//   <id>/MANIFEST.json, STATE.json, legacy.mdb[.zst], unified.sqlite[.zst]
//   <id>.tmp/   an upload that was not finished: the next one of that backup goes on with it
#pragma once

#include <string>

#include "rollback/backup_directory.hpp"
#include "rollback/backup_target.hpp"

namespace switchback {

// As BackupTarget. An upload writes into <id>.tmp what is not there already, byte by byte compared
// with the source, syncs it, and publishes by one rename.
class DirectoryTarget final : public BackupTarget {
 public:
  // The directory must be there: one that is not is most likely a disk that is not mounted.
  // kNotFound then; kInvalidArgument for what is no directory.
  static Result<std::unique_ptr<BackupTarget>> Open(const std::string& path);

  [[nodiscard]] std::string Name() const override { return directory_.path(); }
  Result<std::vector<std::string>> ListBackups(BackupProgress& progress) override;
  Result<std::vector<TargetFile>> ListFiles(const std::string& id,
                                            BackupProgress& progress) override;
  Result<std::string> ReadText(const std::string& id, const std::string& name,
                               std::size_t bytes_max, BackupProgress& progress) override;
  Status GetFile(const std::string& id, const std::string& name, int fd, std::uint64_t bytes,
                 BackupProgress& progress) override;
  Status PutFile(const std::string& id, const std::string& name, int fd, const FileSum& sum,
                 BackupProgress& progress) override;
  Status PutText(const std::string& id, const std::string& name, std::string_view text,
                 BackupProgress& progress) override;
  Status Publish(const std::string& id, std::string_view manifest,
                 BackupProgress& progress) override;
  Status Remove(const std::string& id, BackupProgress& progress) override;

 private:
  explicit DirectoryTarget(BackupDirectory directory) : directory_(std::move(directory)) {}
  // A file of <id>.tmp, made with it where they are missing.
  [[nodiscard]] Result<UniqueFd> OpenUnfinished(const std::string& id,
                                                const std::string& name) const;

  BackupDirectory directory_;
};

}  // namespace switchback
