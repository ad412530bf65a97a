#include "rollback/directory_target.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "common/failpoint.hpp"
#include "common/sha256.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunkBytes = 1u << 20;

// The bytes of `from` into `to`, but for those that stand there already; the same bytes hashed.
Status CopyMissing(int from, int to, std::uint64_t bytes, Sha256& hash, BackupProgress& progress) {
  std::string wanted(kChunkBytes, '\0');
  std::string there(kChunkBytes, '\0');
  for (std::uint64_t done = 0; done < bytes;) {
    SB_RETURN_IF_ERROR(Failpoint("target.put"));
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, bytes - done));
    const auto got = ReadAt(from, wanted.data(), size, done);
    if (!got) return Fail(got.error());
    if (*got != size) return Fail(ErrorCode::kCorruption, "shorter than the manifest says");
    const auto old = ReadAt(to, there.data(), size, done);
    if (!old) return Fail(old.error());
    const std::string_view chunk(wanted.data(), size);
    if (std::string_view(there.data(), *old) != chunk) SB_RETURN_IF_ERROR(WriteAt(to, chunk, done));
    hash.Add(chunk);
    done += size;
    SB_RETURN_IF_ERROR(progress.Advance(size));
  }
  return {};
}

Result<std::uint64_t> SizeOf(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FailErrno("stat a file", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

Status CutAndSync(int fd, std::uint64_t bytes) {
  const auto size = SizeOf(fd);
  if (!size) return Fail(size.error());
  if (*size != bytes && ::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
    return FailErrno("cut a file", errno);
  SB_RETURN_IF_ERROR(Failpoint("target.sync"));
  if (::fsync(fd) != 0) return FailErrno("sync a file", errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<BackupTarget>> DirectoryTarget::Open(const std::string& path) {
  auto directory = BackupDirectory::Open(path, /*must_exist=*/true);
  if (!directory && directory.error().code == ErrorCode::kNotFound)
    return Fail(ErrorCode::kNotFound,
                "the backup target " + path + " is not there: is it mounted? It is never made");
  if (!directory) return Fail(directory.error());
  return std::unique_ptr<BackupTarget>(new DirectoryTarget(*std::move(directory)));
}

Result<std::vector<std::string>> DirectoryTarget::ListBackups(BackupProgress& progress) {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator at(Name(), error), end; !error && at != end; at.increment(error)) {
    const std::string id = at->path().filename().string();
    if (!IsValidBackupId(id)) continue;
    if (ids.size() == kTargetBackupsMax)
      return Fail(ErrorCode::kTooLarge, "too many backups in " + Name());
    ids.push_back(id);
    SB_RETURN_IF_ERROR(progress.Advance(0));
  }
  if (error) return FailErrno("list " + Name(), error.value());
  std::sort(ids.rbegin(), ids.rend());
  return ids;
}

Result<std::vector<TargetFile>> DirectoryTarget::ListFiles(const std::string& id,
                                                           BackupProgress& /*progress*/) {
  if (!IsValidBackupId(id)) return Fail(ErrorCode::kInvalidArgument, "that is no id of a backup");
  std::vector<TargetFile> files;
  for (const std::string& path : {directory_.PathOf(id), directory_.PathOf(id) + ".tmp"}) {
    std::error_code error;
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
      std::error_code ignored;
      if (at->is_regular_file(ignored) && !at->is_symlink(ignored))
        files.push_back({at->path().filename().string(), at->file_size(ignored)});
    }
    if (error && error.value() != ENOENT) return FailErrno("list " + path, error.value());
    if (!files.empty()) break;
  }
  std::sort(files.begin(), files.end(),
            [](const TargetFile& a, const TargetFile& b) { return a.name < b.name; });
  return files;
}

Result<std::string> DirectoryTarget::ReadText(const std::string& id, const std::string& name,
                                              std::size_t bytes_max, BackupProgress& /*progress*/) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  auto file = directory_.OpenFile(id, name);
  if (!file) return Fail(file.error());
  std::string text(bytes_max + 1, '\0');
  const auto size = ReadAt(file->get(), text.data(), text.size(), 0);
  if (!size) return Fail(size.error());
  if (*size > bytes_max) return Fail(ErrorCode::kTooLarge, name + " is too large");
  text.resize(*size);
  return text;
}

Status DirectoryTarget::GetFile(const std::string& id, const std::string& name, int fd,
                                std::uint64_t bytes, BackupProgress& progress) {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  auto file = directory_.OpenFile(id, name);
  if (!file) return Fail(file.error());
  const auto size = SizeOf(file->get());
  if (!size) return Fail(size.error());
  if (*size != bytes)
    return Fail(ErrorCode::kCorruption, name + " has " + std::to_string(*size) + " bytes there, " +
                                            std::to_string(bytes) + " in its manifest");
  std::string chunk(kChunkBytes, '\0');
  for (std::uint64_t done = 0; done < bytes;) {
    SB_RETURN_IF_ERROR(Failpoint("target.get"));
    const auto wanted = std::min<std::uint64_t>(kChunkBytes, bytes - done);
    const auto got = ReadAt(file->get(), chunk.data(), static_cast<std::size_t>(wanted), done);
    if (!got) return Fail(got.error());
    if (*got != wanted) return Fail(ErrorCode::kCorruption, name + " was cut while it was read");
    SB_RETURN_IF_ERROR(WriteAt(fd, {chunk.data(), *got}, done));
    done += *got;
    SB_RETURN_IF_ERROR(progress.Advance(*got));
  }
  return {};
}

// Through no symbolic link: who can write to the target must not choose what is overwritten.
Result<UniqueFd> DirectoryTarget::OpenUnfinished(const std::string& id,
                                                 const std::string& name) const {
  SB_RETURN_IF_ERROR(CheckTargetNames(id, name));
  const std::string path = directory_.PathOf(id) + ".tmp";
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return FailErrno("make " + path, errno);
  auto top = OpenFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!top) return Fail(top.error());
  const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  UniqueFd file(::openat(top->get(), name.c_str(), flags, 0600));
  if (!file.is_open()) return FailErrno("open " + path + "/" + name, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return FailErrno("stat " + name, errno);
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1)
    return Fail(ErrorCode::kRefused, path + "/" + name + " is not a plain file of its own");
  return file;
}

Status DirectoryTarget::PutFile(const std::string& id, const std::string& name, int fd,
                                const FileSum& sum, BackupProgress& progress) {
  auto file = OpenUnfinished(id, name);
  if (!file) return Fail(file.error());
  Sha256 hash;
  if (auto copied = CopyMissing(fd, file->get(), sum.bytes, hash, progress); !copied)
    return Fail(WithContext(copied.error(), name));
  SB_RETURN_IF_ERROR(CutAndSync(file->get(), sum.bytes));
  if (hash.FinishHex() == sum.sha256) return {};
  return Fail(ErrorCode::kCorruption, name + ": its checksum is not the manifest's");
}

Status DirectoryTarget::PutText(const std::string& id, const std::string& name,
                                std::string_view text, BackupProgress& /*progress*/) {
  auto file = OpenUnfinished(id, name);
  if (!file) return Fail(file.error());
  SB_RETURN_IF_ERROR(Failpoint("target.text"));
  SB_RETURN_IF_ERROR(WriteAt(file->get(), text, 0));
  return CutAndSync(file->get(), text.size());
}

Status DirectoryTarget::Publish(const std::string& id, std::string_view manifest,
                                BackupProgress& progress) {
  SB_RETURN_IF_ERROR(PutText(id, kManifestName, manifest, progress));
  SB_RETURN_IF_ERROR(Failpoint("target.publish"));
  return directory_.Publish(id);
}

Status DirectoryTarget::Remove(const std::string& id, BackupProgress& /*progress*/) {
  std::error_code error;
  const bool was_unfinished =
      IsValidBackupId(id) && fs::exists(directory_.PathOf(id) + ".tmp", error);
  if (was_unfinished) SB_RETURN_IF_ERROR(directory_.Abandon(id));
  const Status removed = directory_.Remove(id);
  if (!removed && removed.error().code == ErrorCode::kNotFound && was_unfinished) return {};
  return removed;
}

}  // namespace switchback
