// Backups in a bucket that speaks S3: PREFIX/<id>/MANIFEST.json and the other files of a backup.
// Large files go in parts, and an upload that was interrupted goes on with those that are there.
#pragma once

#include <memory>
#include <string>

#include "rollback/backup_target.hpp"
#include "rollback/s3_client.hpp"

namespace switchback {

// As BackupTarget. Every body is sent with its SHA-256 in the signature, so that what is stored is
// what was sent.
class S3Target final : public BackupTarget {
 public:
  S3Target(std::unique_ptr<S3Client> client, std::uint64_t part_bytes)
      : client_(std::move(client)), part_bytes_(part_bytes) {}

  [[nodiscard]] std::string Name() const override { return client_->place().Name(); }
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
  const std::unique_ptr<S3Client> client_;
  const std::uint64_t part_bytes_;
};

}  // namespace switchback
