#include "rollback/backup_transfer.hpp"

#include <fcntl.h>

#include <algorithm>
#include <map>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "rollback/backup_verifier.hpp"

namespace switchback {
namespace {

// A download is made here, apart from the backups. No id, and what ends so is removed as a
// leftover.
constexpr const char* kIncomingName = ".incoming.tmp";

std::string WhatToDo(const std::string& id) {
  return "remove it there (`switchback backup delete " + id + " --remote`) and upload it again";
}

// The manifest that is at the target: nullopt when there is none.
Result<std::optional<std::string>> ReadRemoteManifest(BackupTarget& target, const std::string& id,
                                                      BackupProgress& progress) {
  auto text = target.ReadText(id, kManifestName, kManifestBytesMax, progress);
  if (text) return std::optional<std::string>(*std::move(text));
  if (text.error().code == ErrorCode::kNotFound) return std::optional<std::string>();
  return Fail(text.error());
}

Result<BackupManifest> ParseRemoteManifest(const std::string& id, const std::string& text) {
  auto manifest = ParseManifest(text);
  if (manifest && manifest->id != id)
    return Fail(ErrorCode::kCorruption, "the manifest is that of backup " + manifest->id);
  return manifest;
}

class Upload {
 public:
  Upload(const BackupDirectory& directory, const std::string& id, BackupTarget& target,
         BackupProgress& progress)
      : directory_(directory), id_(id), target_(target), progress_(progress) {}

  Status Run();

 private:
  Status Load();
  Status PutHalf(const BackupHalf& half);
  // That the target has exactly these files, of these sizes.
  Status CheckFiles(bool is_published);

  const BackupDirectory& directory_;
  const std::string& id_;
  BackupTarget& target_;
  BackupProgress& progress_;
  BackupEntry entry_;
  std::string manifest_text_;
  std::string state_text_;
};

// Only what is whole leaves the machine: a damaged copy elsewhere would look like a safe one.
Status Upload::Load() {
  auto entry = directory_.Load(id_);
  if (!entry) return Fail(entry.error());
  entry_ = *std::move(entry);
  std::string problem = entry_.damage.empty() ? entry_.state.problem : entry_.damage;
  if (problem.empty() && !entry_.manifest->differences.empty())
    problem = "its halves differ in " + entry_.manifest->differences.front();
  if (!problem.empty())
    return Fail(ErrorCode::kCorruption, "backup " + id_ + " is not whole: " + problem);
  manifest_text_ = WriteManifest(*entry_.manifest);
  state_text_ = WriteState(entry_.state);
  return {};
}

Status Upload::PutHalf(const BackupHalf& half) {
  SB_RETURN_IF_ERROR(Failpoint("upload.file"));
  auto file = directory_.OpenFile(id_, half.FileName());
  if (!file) return Fail(file.error());
  return target_.PutFile(id_, half.FileName(), file->get(), {half.bytes, half.sha256}, progress_);
}

Status Upload::CheckFiles(bool is_published) {
  const auto files = target_.ListFiles(id_, progress_);
  if (!files) return Fail(files.error());
  std::map<std::string, std::uint64_t> expected{{kStateName, state_text_.size()}};
  for (const BackupHalf& half : entry_.manifest->halves) expected[half.FileName()] = half.bytes;
  for (const TargetFile& file : *files) {
    if (file.name == kManifestName) continue;
    const auto at = expected.find(file.name);
    // Pinned or verified there or here since: not a part of what is promised.
    const bool is_right = at != expected.end() &&
                          (at->second == file.bytes || (is_published && file.name == kStateName));
    if (!is_right)
      return Fail(ErrorCode::kCorruption, target_.Name() + " has another " + file.name +
                                              " of backup " + id_ + ": " + WhatToDo(id_));
    expected.erase(at);
  }
  if (expected.empty()) return {};
  return Fail(ErrorCode::kCorruption, target_.Name() + " lacks " + expected.begin()->first +
                                          " of backup " + id_ + ": " + WhatToDo(id_));
}

Status Upload::Run() {
  SB_RETURN_IF_ERROR(Load());
  progress_.SetStage("upload");
  progress_.SetRemaining(entry_.manifest->bytes());
  const auto remote = ReadRemoteManifest(target_, id_, progress_);
  if (!remote) return Fail(remote.error());
  if (*remote && **remote != manifest_text_)
    return Fail(ErrorCode::kConflict,
                target_.Name() + " has another backup " + id_ + ": " + WhatToDo(id_));
  if (*remote) return CheckFiles(/*is_published=*/true);
  for (const BackupHalf& half : entry_.manifest->halves) SB_RETURN_IF_ERROR(PutHalf(half));
  SB_RETURN_IF_ERROR(Failpoint("upload.state"));
  SB_RETURN_IF_ERROR(target_.PutText(id_, kStateName, state_text_, progress_));
  SB_RETURN_IF_ERROR(Failpoint("upload.check"));
  SB_RETURN_IF_ERROR(CheckFiles(/*is_published=*/false));
  progress_.SetStage("publish");
  SB_RETURN_IF_ERROR(Failpoint("upload.publish"));
  return target_.Publish(id_, manifest_text_, progress_);
}

class Download {
 public:
  Download(BackupTarget& target, const std::string& id, const BackupDirectory& directory,
           const Clock& clock, BackupProgress& progress)
      : target_(target), id_(id), directory_(directory), clock_(clock), progress_(progress) {}

  Status Run(std::uint64_t space_margin_bytes);

 private:
  Status LoadManifest();
  Status CheckSpace(std::uint64_t space_margin_bytes) const;
  Status GetFiles(const BackupDirectory& incoming);
  // A state of our own: what the target says of itself proves nothing.
  Status Verify(const BackupDirectory& incoming);

  BackupTarget& target_;
  const std::string& id_;
  const BackupDirectory& directory_;
  const Clock& clock_;
  BackupProgress& progress_;
  BackupManifest manifest_;
  std::string manifest_text_;
};

Status Download::LoadManifest() {
  auto text = ReadRemoteManifest(target_, id_, progress_);
  if (!text) return Fail(text.error());
  if (!*text)
    return Fail(ErrorCode::kNotFound, target_.Name() + " has no backup " + id_ +
                                          ": `switchback backup list --remote` shows what it has");
  auto manifest = ParseRemoteManifest(id_, **text);
  if (!manifest)
    return Fail(WithContext(manifest.error(), "backup " + id_ + " at " + target_.Name()));
  manifest_ = *std::move(manifest);
  manifest_text_ = **std::move(text);
  return {};
}

// The files, and besides, of the largest compressed one what it unpacks to while it is verified. A
// manifest may lie about sizes, up to what does not fit into 64 bits.
Status Download::CheckSpace(std::uint64_t space_margin_bytes) const {
  const auto free = directory_.FreeBytes();
  if (!free) return Fail(free.error());
  std::uint64_t left = *free > space_margin_bytes ? *free - space_margin_bytes : 0;
  std::uint64_t unpacked = 0;
  bool is_enough = true;
  for (const BackupHalf& half : manifest_.halves) {
    is_enough = is_enough && half.bytes <= left;
    if (is_enough) left -= half.bytes;
    if (half.is_compressed) unpacked = std::max(unpacked, half.raw_bytes);
  }
  if (is_enough && unpacked <= left) return {};
  return Fail(ErrorCode::kNoSpace, "not enough space in " + directory_.path() + " for backup " +
                                       id_ + ": " + std::to_string(*free) + " bytes are free, " +
                                       std::to_string(manifest_.bytes()) + " to come");
}

Status Download::GetFiles(const BackupDirectory& incoming) {
  auto path = incoming.Begin(id_);
  if (!path) return Fail(path.error());
  progress_.SetRemaining(manifest_.bytes());
  for (const BackupHalf& half : manifest_.halves) {
    SB_RETURN_IF_ERROR(Failpoint("download.file"));
    const std::string file_path = *path + "/" + half.FileName();
    auto file = OpenFile(file_path, O_RDWR | O_CREAT | O_EXCL);
    if (!file) return Fail(file.error());
    SB_RETURN_IF_ERROR(target_.GetFile(id_, half.FileName(), file->get(), half.bytes, progress_));
    SB_RETURN_IF_ERROR(SyncFile(file_path));
  }
  SB_RETURN_IF_ERROR(WriteFileAtomically(*path + "/" + kStateName, WriteState({})));
  SB_RETURN_IF_ERROR(WriteFileAtomically(*path + "/" + kManifestName, manifest_text_));
  return incoming.Publish(id_);
}

Status Download::Verify(const BackupDirectory& incoming) {
  SB_RETURN_IF_ERROR(Failpoint("download.verify"));
  const auto verdict = VerifyBackup(incoming, id_, /*is_full=*/true, progress_);
  if (!verdict) return Fail(verdict.error());
  if (!verdict->is_ok())
    return Fail(ErrorCode::kCorruption,
                "backup " + id_ + " at " + target_.Name() +
                    " is damaged, nothing of it was kept: " + verdict->problems.front());
  BackupState state;
  state.checked_at =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.WallNow().time_since_epoch()).count();
  state.verified_at = state.checked_at;
  return incoming.SetState(id_, state);
}

Status Download::Run(std::uint64_t space_margin_bytes) {
  progress_.SetStage("download");
  if (directory_.Load(id_))
    return Fail(ErrorCode::kConflict, "there is a backup " + id_ + " here already");
  SB_RETURN_IF_ERROR(LoadManifest());
  SB_RETURN_IF_ERROR(CheckSpace(space_margin_bytes));
  const auto incoming = BackupDirectory::Open(directory_.path() + "/" + kIncomingName);
  if (!incoming) return Fail(incoming.error());
  SB_RETURN_IF_ERROR(GetFiles(*incoming));
  SB_RETURN_IF_ERROR(Verify(*incoming));
  progress_.SetStage("publish");
  return directory_.Adopt(id_, *incoming);
}

// Damage is no error.
Result<RemoteBackup> LoadRemote(BackupTarget& target, const std::string& id,
                                BackupProgress& progress) {
  RemoteBackup backup{id, {}, {}};
  const auto text = ReadRemoteManifest(target, id, progress);
  if (!text && text.error().code != ErrorCode::kTooLarge) return Fail(text.error());
  if (!text || !*text) {
    backup.damage = text ? "it has no manifest" : text.error().message;
    return backup;
  }
  auto manifest = ParseRemoteManifest(id, **text);
  if (manifest) {
    backup.manifest = *std::move(manifest);
  } else {
    backup.damage = manifest.error().message;
  }
  return backup;
}

}  // namespace

Status UploadBackup(const BackupDirectory& directory, const std::string& id, BackupTarget& target,
                    BackupProgress& progress) {
  return Upload(directory, id, target, progress).Run();
}

Status DownloadBackup(BackupTarget& target, const std::string& id, const BackupDirectory& directory,
                      const Clock& clock, std::uint64_t space_margin_bytes,
                      BackupProgress& progress) {
  if (!IsValidBackupId(id)) return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
  SB_RETURN_IF_ERROR(directory.RemoveLeftovers());
  const Status done = Download(target, id, directory, clock, progress).Run(space_margin_bytes);
  const Status removed = directory.RemoveLeftovers();
  return done ? removed : done;
}

Result<RemoteBackups> ListRemoteBackups(BackupTarget& target, std::size_t count_max,
                                        BackupProgress& progress) {
  const auto ids = target.ListBackups(progress);
  if (!ids) return Fail(ids.error());
  RemoteBackups remote{target.Name(), {}};
  for (const std::string& id : *ids) {
    if (remote.backups.size() == count_max) break;
    auto backup = LoadRemote(target, id, progress);
    if (!backup) return Fail(backup.error());
    remote.backups.push_back(*std::move(backup));
  }
  return remote;
}

}  // namespace switchback
