#include "rollback/s3_target.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/failpoint.hpp"
#include "rollback/backup_manifest.hpp"
#include "rollback/s3_answers.hpp"
#include "rollback/s3_upload.hpp"

namespace switchback {
namespace {

// All that a backup can consist of. Asked for one by one, since a bucket's list may lag behind.
constexpr std::array<const char*, 6> kFileNames{kManifestName,    kStateName,
                                                "legacy.mdb",     "legacy.mdb.zst",
                                                "unified.sqlite", "unified.sqlite.zst"};
// A list has four files a backup and at most 1,000 of them a page; a bucket may hold other things.
constexpr int kListPagesMax = 1000;

std::string KeyOf(const std::string& id, const std::string& name) {
  return id + "/" + name;
}

// The id of "<id>/MANIFEST.json", else "".
std::string IdOfManifest(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos || key.substr(slash + 1) != kManifestName) return "";
  const std::string_view id = key.substr(0, slash);
  return IsValidBackupId(id) ? std::string(id) : "";
}

}  // namespace

Result<std::vector<std::string>> S3Target::ListBackups(BackupProgress& progress) {
  const std::string& prefix = client_->place().prefix;
  std::vector<std::string> ids;
  S3Call call{.method = "GET", .query = {{"list-type", "2"}, {"prefix", prefix}}};
  for (int number = 0; number < kListPagesMax; ++number) {
    const auto reply = client_->Send(call, progress);
    if (!reply) return Fail(reply.error());
    const auto page = ParseS3Objects(reply->text);
    if (!page) return Fail(page.error());
    for (const std::string& key : page->keys) {
      if (!key.starts_with(prefix)) continue;
      std::string id = IdOfManifest(std::string_view(key).substr(prefix.size()));
      if (!id.empty()) ids.push_back(std::move(id));
    }
    if (page->next.empty()) {
      std::sort(ids.rbegin(), ids.rend());
      return ids;
    }
    if (ids.size() > kTargetBackupsMax) break;
    call.query["continuation-token"] = page->next;
  }
  return Fail(ErrorCode::kTooLarge, "too much in " + Name() + ": give the backups a prefix alone");
}

Result<std::vector<TargetFile>> S3Target::ListFiles(const std::string& id,
                                                    BackupProgress& progress) {
  if (!IsValidBackupId(id)) return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
  std::vector<TargetFile> files;
  for (const char* name : kFileNames) {
    const auto reply = client_->Send({.method = "HEAD", .key = KeyOf(id, name)}, progress);
    if (!reply && reply.error().code == ErrorCode::kNotFound) continue;
    if (!reply) return Fail(reply.error());
    const auto length = reply->headers.find("content-length");
    TargetFile file{name, 0};
    if (length != reply->headers.end())
      std::from_chars(length->second.data(), length->second.data() + length->second.size(),
                      file.bytes);
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::string> S3Target::ReadText(const std::string& id, const std::string& name,
                                       std::size_t bytes_max, BackupProgress& progress) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  S3Call call{.method = "GET", .key = KeyOf(id, name)};
  call.text_bytes_max = bytes_max;
  auto reply = client_->Send(call, progress);
  if (!reply) return Fail(reply.error());
  return std::move(reply->text);
}

Status S3Target::GetFile(const std::string& id, const std::string& name, int fd,
                         std::uint64_t bytes, BackupProgress& progress) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  SB_RETURN_IF_ERROR(Failpoint("target.get"));
  return client_->Download(KeyOf(id, name), fd, bytes, progress);
}

Status S3Target::PutFile(const std::string& id, const std::string& name, int fd, const FileSum& sum,
                         BackupProgress& progress) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  return S3Upload(*client_, KeyOf(id, name), fd, sum, part_bytes_, progress).Run();
}

Status S3Target::PutText(const std::string& id, const std::string& name, std::string_view text,
                         BackupProgress& progress) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  SB_RETURN_IF_ERROR(Failpoint("target.text"));
  S3Call call{.method = "PUT", .key = KeyOf(id, name)};
  call.text = text;
  const auto reply = client_->Send(call, progress);
  if (!reply) return Fail(reply.error());
  return {};
}

Status S3Target::Publish(const std::string& id, std::string_view manifest,
                         BackupProgress& progress) {
  SB_RETURN_IF_ERROR(Failpoint("target.publish"));
  return PutText(id, kManifestName, manifest, progress);
}

// The manifest first, as kFileNames has it: from there on the backup is not there.
Status S3Target::Remove(const std::string& id, BackupProgress& progress) {
  const auto files = ListFiles(id, progress);
  if (!files) return Fail(files.error());
  for (const TargetFile& file : *files) {
    const auto reply = client_->Send({.method = "DELETE", .key = KeyOf(id, file.name)}, progress);
    if (!reply && reply.error().code != ErrorCode::kNotFound) return Fail(reply.error());
  }
  const auto aborted = AbortS3Uploads(*client_, id + "/", progress);
  if (!aborted) return Fail(aborted.error());
  if (!files->empty() || *aborted > 0) return {};
  return Fail(ErrorCode::kNotFound, Name() + " has nothing of backup " + id);
}

}  // namespace switchback
