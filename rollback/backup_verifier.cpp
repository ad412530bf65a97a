#include "rollback/backup_verifier.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "backends/store_file.hpp"
#include "common/failpoint.hpp"
#include "common/remove_tree.hpp"
#include "rollback/backup_codec.hpp"

namespace switchback {
namespace {

// A private directory to unpack into, gone at the end.
class Sandbox {
 public:
  Status Make(const std::string& beneath) {
    // Ends as leftovers do, so that one of a crash is removed with them.
    const std::string path = beneath + "/verify-" + std::to_string(::getpid()) + ".tmp";
    if (::mkdir(path.c_str(), 0700) != 0) return FailErrno("make " + path, errno);
    path_ = path;
    return {};
  }
  ~Sandbox() {
    if (!path_.empty()) static_cast<void>(RemoveTree(path_));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class BackupVerifier {
 public:
  BackupVerifier(const BackupDirectory& directory, const BackupEntry& entry,
                 BackupProgress& progress)
      : directory_(directory), entry_(entry), progress_(progress) {}

  Status Verify(bool is_full);
  BackupVerdict verdict;

 private:
  void Note(const std::string& problem) { verdict.problems.push_back(problem); }
  // An error that says something about the backup is noted, any other is given back.
  Status NoteDamage(const std::string& what, const Error& error);
  Status CheckFiles();
  Status CheckHalf(const BackupHalf& half, bool is_full);
  Status CheckStore(const BackupHalf& half, const std::string& path);

  const BackupDirectory& directory_;
  const BackupEntry& entry_;
  BackupProgress& progress_;
};

Status BackupVerifier::NoteDamage(const std::string& what, const Error& error) {
  switch (error.code) {
    case ErrorCode::kCancelled:
    case ErrorCode::kNoSpace: return Fail(error);
    default: Note(what + ": " + error.message); return {};
  }
}

Status BackupVerifier::CheckFiles() {
  const auto names = directory_.FileNames(entry_.id);
  if (!names) return Fail(names.error());
  std::set<std::string> expected{kManifestName, kStateName};
  for (const BackupHalf& half : entry_.manifest->halves) expected.insert(half.FileName());
  for (const std::string& name : *names) {
    if (!expected.contains(name)) Note(name + " does not belong to a backup");
  }
  return {};
}

Status BackupVerifier::CheckHalf(const BackupHalf& half, bool is_full) {
  SB_RETURN_IF_ERROR(Failpoint("backup.verify"));
  auto file = directory_.OpenFile(entry_.id, half.FileName());
  if (!file) return NoteDamage(half.FileName(), file.error());
  // From the device, not from what memory still holds of it.
  ::posix_fadvise(file->get(), 0, 0, POSIX_FADV_DONTNEED);
  Sandbox sandbox;
  std::string raw_path = directory_.PathOf(entry_.id) + "/" + half.FileName();
  if (is_full && half.is_compressed) {
    SB_RETURN_IF_ERROR(sandbox.Make(directory_.path()));
    raw_path = sandbox.path() + "/store";
  }
  const auto sums = UnpackFile(file->get(), half.is_compressed, half.raw_bytes,
                               sandbox.path().empty() ? "" : raw_path, progress_.Step());
  if (!sums) return NoteDamage(half.FileName(), sums.error());
  if (sums->packed != FileSum{half.bytes, half.sha256} ||
      sums->raw != FileSum{half.raw_bytes, half.raw_sha256}) {
    Note(half.FileName() + ": its checksum or size is not the manifest's");
    return {};
  }
  return is_full ? CheckStore(half, raw_path) : Status{};
}

// Only behind a checksum that fits.
Status BackupVerifier::CheckStore(const BackupHalf& half, const std::string& path) {
  const auto report =
      InspectStoreFile(half.engine, path, StoreFileCheck::kThorough, progress_.Step());
  if (!report) return NoteDamage(half.FileName(), report.error());
  if (report->collections != half.collections)
    Note(half.FileName() + ": its records are not those of the manifest");
  const BackupManifest& manifest = *entry_.manifest;
  if (report->state.applied_sequence != manifest.sequence ||
      report->state.epoch != manifest.epoch || report->state.log_id != manifest.log_id)
    Note(half.FileName() + ": it stands at another batch than the manifest says");
  return {};
}

Status BackupVerifier::Verify(bool is_full) {
  verdict.is_full = is_full;
  if (!entry_.damage.empty()) Note(entry_.damage);
  if (!entry_.manifest) return {};
  std::uint64_t total = 0;
  for (const BackupHalf& half : entry_.manifest->halves)
    total += half.bytes + (is_full ? half.raw_bytes : 0);
  progress_.SetRemaining(total);
  SB_RETURN_IF_ERROR(CheckFiles());
  for (const BackupHalf& half : entry_.manifest->halves)
    SB_RETURN_IF_ERROR(CheckHalf(half, is_full));
  for (const std::string& name : entry_.manifest->differences)
    Note("collection " + name + ": the halves differed when the backup was made");
  return {};
}

Status ExportHalf(const BackupDirectory& directory, const std::string& id, const BackupHalf& half,
                  const std::string& path, BackupProgress& progress) {
  auto file = directory.OpenFile(id, half.FileName());
  if (!file) return Fail(file.error());
  const auto sums =
      UnpackFile(file->get(), half.is_compressed, half.raw_bytes, path, progress.Step());
  if (!sums) return Fail(sums.error());
  if (sums->raw == FileSum{half.raw_bytes, half.raw_sha256})
    return SyncDirectory(ParentDirectory(path));
  ::unlink(path.c_str());
  return Fail(ErrorCode::kCorruption, half.FileName() + ": its checksum is not the manifest's");
}

}  // namespace

Result<BackupVerdict> VerifyBackup(const BackupDirectory& directory, const std::string& id,
                                   bool is_full, BackupProgress& progress) {
  progress.SetStage("verify");
  const auto entry = directory.Load(id);
  if (!entry) return Fail(entry.error());
  BackupVerifier verifier(directory, *entry, progress);
  SB_RETURN_IF_ERROR(verifier.Verify(is_full));
  return verifier.verdict;
}

Status ExportBackup(const BackupDirectory& directory, const std::string& id, const std::string& to,
                    BackupProgress& progress) {
  progress.SetStage("export");
  const auto entry = directory.Load(id);
  if (!entry) return Fail(entry.error());
  if (!entry->manifest) return Fail(ErrorCode::kCorruption, entry->damage);
  progress.SetTotal(entry->manifest->bytes());
  SB_RETURN_IF_ERROR(MakeDirectories(to));
  const std::string legacy = to + "/legacy/data.mdb";
  const std::string unified = to + "/unified.sqlite";
  for (const std::string& path : {legacy, unified}) {
    if (::access(path.c_str(), F_OK) == 0)
      return Fail(ErrorCode::kConflict, path + " is there already");
  }
  for (const BackupHalf& half : entry->manifest->halves) {
    if (half.role == Role::kLegacy) SB_RETURN_IF_ERROR(MakeDirectories(to + "/legacy"));
    SB_RETURN_IF_ERROR(
        ExportHalf(directory, id, half, half.role == Role::kLegacy ? legacy : unified, progress));
  }
  return {};
}

}  // namespace switchback
