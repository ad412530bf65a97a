#include "rollback/backup_directory.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <tuple>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/remove_tree.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::size_t kIdTimeBytes = 16;  // 20260101T120000Z

// Opens `name` beneath `directory` and follows no symbolic link on the way.
Result<UniqueFd> OpenBeneath(int directory, const std::string& name, int flags) {
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  long fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  // An old kernel, or a container that forbids the call: a name without slashes leads nowhere else.
  if (fd < 0 && (errno == ENOSYS || errno == EPERM) && name.find('/') == std::string::npos)
    fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && (errno == ELOOP || errno == EXDEV || (errno == ENOTDIR && (flags & O_DIRECTORY))))
    return Fail(ErrorCode::kRefused, name + " is a symbolic link, or not what it should be");
  if (fd < 0) return FailErrno("open " + name, errno);
  return UniqueFd(static_cast<int>(fd));
}

Status CheckId(const std::string& id) {
  if (IsValidBackupId(id)) return {};
  return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
}

// An id has the second, and then digits that say nothing.
bool IsNewer(const BackupEntry& a, const BackupEntry& b) {
  const auto place = [](const BackupEntry& entry) {
    const auto& manifest = entry.manifest;
    return std::tuple(std::string_view(entry.id).substr(0, kIdTimeBytes),
                      manifest ? manifest->epoch : 0, manifest ? manifest->sequence : 0,
                      std::string_view(entry.id));
  };
  return place(a) > place(b);
}

}  // namespace

Result<BackupDirectory> BackupDirectory::Open(const std::string& path, bool must_exist) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && must_exist) return Fail(ErrorCode::kNotFound, "there are no backups at " + path);
  if (!exists) SB_RETURN_IF_ERROR(MakeDirectories(path));
  if (exists && !S_ISDIR(info.st_mode))
    return Fail(ErrorCode::kInvalidArgument, path + " is not a directory");
  return BackupDirectory(path);
}

Result<UniqueFd> BackupDirectory::OpenFile(const std::string& id, const std::string& name) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  auto top = ::switchback::OpenFile(path_, O_RDONLY | O_DIRECTORY);
  if (!top) return Fail(top.error());
  auto directory = OpenBeneath(top->get(), id, O_RDONLY | O_DIRECTORY);
  if (!directory) return Fail(directory.error());
  auto file = OpenBeneath(directory->get(), name, O_RDONLY | O_NONBLOCK);
  if (!file) return Fail(file.error());
  struct stat info {};
  if (::fstat(file->get(), &info) != 0) return FailErrno("stat " + name, errno);
  if (!S_ISREG(info.st_mode)) return Fail(ErrorCode::kRefused, name + " is not a plain file");
  return file;
}

Result<std::string> BackupDirectory::ReadSmallFile(const std::string& id,
                                                   const std::string& name) const {
  auto file = OpenFile(id, name);
  if (!file) return Fail(file.error());
  std::string text(kManifestBytesMax + 1, '\0');
  auto size = ReadAt(file->get(), text.data(), text.size(), 0);
  if (!size) return Fail(size.error());
  if (*size > kManifestBytesMax) return Fail(ErrorCode::kCorruption, name + " is too large");
  text.resize(*size);
  return text;
}

Result<BackupEntry> BackupDirectory::Load(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  struct stat info {};
  if (::lstat(PathOf(id).c_str(), &info) != 0)
    return Fail(ErrorCode::kNotFound, "there is no backup " + id);
  BackupEntry entry;
  entry.id = id;
  auto text = ReadSmallFile(id, kManifestName);
  auto manifest = text ? ParseManifest(*text) : Result<BackupManifest>(Fail(text.error()));
  if (manifest && manifest->id != id)
    manifest = Fail(ErrorCode::kCorruption, "the manifest is that of backup " + manifest->id);
  if (manifest) entry.manifest = *std::move(manifest);
  if (!entry.manifest) entry.damage = manifest.error().message;
  auto state_text = ReadSmallFile(id, kStateName);
  auto state = state_text ? ParseState(*state_text) : Result<BackupState>(Fail(state_text.error()));
  if (state) {
    entry.state = *std::move(state);
    entry.is_state_known = true;
  } else {
    entry.state.is_pinned = true;
    if (entry.damage.empty()) entry.damage = "STATE.json: " + state.error().message;
  }
  return entry;
}

Result<std::vector<BackupEntry>> BackupDirectory::List() const {
  std::vector<BackupEntry> entries;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    const std::string id = at->path().filename().string();
    if (!IsValidBackupId(id)) continue;
    auto entry = Load(id);
    if (entry) entries.push_back(*std::move(entry));
  }
  if (error) return FailErrno("list " + path_, error.value());
  std::sort(entries.begin(), entries.end(), IsNewer);
  return entries;
}

Result<std::vector<std::string>> BackupDirectory::FileNames(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(PathOf(id), error), end; !error && at != end; at.increment(error))
    names.push_back(at->path().filename().string());
  if (error) return FailErrno("list " + PathOf(id), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> BackupDirectory::Begin(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  SB_RETURN_IF_ERROR(Failpoint("backup.begin"));
  const std::string path = TemporaryPathOf(id);
  if (::mkdir(path.c_str(), 0700) != 0) return FailErrno("make " + path, errno);
  return path;
}

Status BackupDirectory::Publish(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  SB_RETURN_IF_ERROR(SyncDirectory(TemporaryPathOf(id)));
  SB_RETURN_IF_ERROR(Failpoint("backup.rename"));
  if (::renameat2(AT_FDCWD, TemporaryPathOf(id).c_str(), AT_FDCWD, PathOf(id).c_str(),
                  RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return Fail(ErrorCode::kConflict, "there is a backup " + id + " already");
    return FailErrno("rename " + TemporaryPathOf(id), errno);
  }
  SB_RETURN_IF_ERROR(Failpoint("backup.renamed"));
  return SyncDirectory(path_);
}

Status BackupDirectory::Abandon(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  return RemoveTree(TemporaryPathOf(id));
}

Status BackupDirectory::Adopt(const std::string& id, const BackupDirectory& from) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  SB_RETURN_IF_ERROR(SyncDirectory(from.PathOf(id)));
  SB_RETURN_IF_ERROR(Failpoint("backup.adopt"));
  if (::renameat2(AT_FDCWD, from.PathOf(id).c_str(), AT_FDCWD, PathOf(id).c_str(),
                  RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) return Fail(ErrorCode::kConflict, "there is a backup " + id + " already");
    return FailErrno("rename " + from.PathOf(id), errno);
  }
  return SyncDirectory(path_);
}

// Gone by the rename: a crash in between leaves no half of a backup that counts.
Status BackupDirectory::Remove(const std::string& id) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  if (::rename(PathOf(id).c_str(), TemporaryPathOf(id).c_str()) != 0) {
    if (errno == ENOENT) return Fail(ErrorCode::kNotFound, "there is no backup " + id);
    return FailErrno("remove backup " + id, errno);
  }
  SB_RETURN_IF_ERROR(SyncDirectory(path_));
  SB_RETURN_IF_ERROR(Failpoint("backup.removed"));
  return RemoveTree(TemporaryPathOf(id));
}

Status BackupDirectory::SetState(const std::string& id, const BackupState& state) const {
  SB_RETURN_IF_ERROR(CheckId(id));
  if (auto manifest = OpenFile(id, kManifestName); !manifest) return Fail(manifest.error());
  return WriteFileAtomically(PathOf(id) + "/" + kStateName, WriteState(state));
}

Status BackupDirectory::RemoveLeftovers() const {
  std::vector<std::string> leftovers;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(kTemporarySuffix)) leftovers.push_back(at->path().string());
  }
  if (error) return FailErrno("list " + path_, error.value());
  for (const std::string& leftover : leftovers) SB_RETURN_IF_ERROR(RemoveTree(leftover));
  return {};
}

Result<std::uint64_t> BackupDirectory::FreeBytes() const {
  struct statvfs space {};
  if (::statvfs(path_.c_str(), &space) != 0) return FailErrno("statvfs " + path_, errno);
  return std::uint64_t{space.f_bavail} * space.f_frsize;
}

}  // namespace switchback
