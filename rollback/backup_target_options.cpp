#include "rollback/backup_target_options.hpp"

#include <filesystem>

#include "rollback/directory_target.hpp"
#include "rollback/s3_target.hpp"
#include "rollback/target_credentials.hpp"

namespace switchback {
namespace {

bool IsBucket(const BackupTargetOptions& options) {
  return options.location.starts_with("s3:");
}

Result<S3Place> PlaceOf(const BackupTargetOptions& options) {
  return ParseS3Place(options.location, options.endpoint, options.region, options.path_style,
                      options.is_plain_http_allowed);
}

Result<std::unique_ptr<BackupTarget>> OpenBucket(const BackupTargetOptions& options) {
  auto place = PlaceOf(options);
  if (!place) return Fail(place.error());
  auto credentials = LoadTargetCredentials(options.credentials_file);
  if (!credentials) return Fail(credentials.error());
  HttpTransferOptions transfer;
  transfer.region = place->region;
  transfer.ca_file = options.ca_file;
  auto client = std::make_unique<S3Client>(
      *std::move(place),
      std::make_unique<HttpTransfer>(std::move(transfer), *std::move(credentials)), S3Retries{});
  return std::make_unique<S3Target>(std::move(client), options.part_bytes);
}

}  // namespace

Status CheckBackupTarget(const BackupTargetOptions& options) {
  if (options.location.empty() || options.location.front() == '/') return {};
  if (!IsBucket(options))
    return Fail(ErrorCode::kInvalidArgument,
                "backup_target must be the absolute path of a directory, or s3://BUCKET/PREFIX");
  const auto place = PlaceOf(options);
  if (!place) return Fail(place.error());
  return {};
}

Result<std::unique_ptr<BackupTarget>> OpenBackupTarget(const BackupTargetOptions& options,
                                                       const std::string& backups) {
  SB_RETURN_IF_ERROR(CheckBackupTarget(options));
  if (options.location.empty())
    return Fail(ErrorCode::kUnavailable,
                "there is no place for backups off this machine: set backup_target in the "
                "configuration and start the server again");
  if (IsBucket(options)) return OpenBucket(options);
  std::error_code error;
  if (std::filesystem::equivalent(options.location, backups, error))
    return Fail(ErrorCode::kInvalidArgument,
                "backup_target is the directory of the backups themselves: name another one");
  return DirectoryTarget::Open(options.location);
}

}  // namespace switchback
