#include "rollback/evidence.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>

#include "common/failpoint.hpp"
#include "common/file.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr const char* kArchiveSuffix = ".tar.zst";

struct ArchiveFree {
  void operator()(archive* writer) const noexcept { archive_write_free(writer); }
};
struct EntryFree {
  void operator()(archive_entry* entry) const noexcept { archive_entry_free(entry); }
};
using ArchiveHandle = std::unique_ptr<archive, ArchiveFree>;

tl::unexpected<Error> FailArchive(archive* writer, const std::string& path) {
  const char* text = archive_error_string(writer);
  return Fail(archive_errno(writer) == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo,
              path + ": " + (text != nullptr ? text : "cannot be written"));
}

Status AddFile(archive* writer, const std::string& path, const std::string& folder,
               const EvidenceFile& file) {
  const std::unique_ptr<archive_entry, EntryFree> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), (folder + "/" + file.name).c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0600);
  archive_entry_set_mtime(entry.get(), std::time(nullptr), 0);
  if (archive_write_header(writer, entry.get()) != ARCHIVE_OK) return FailArchive(writer, path);
  const la_ssize_t written = archive_write_data(writer, file.content.data(), file.content.size());
  if (written != static_cast<la_ssize_t>(file.content.size())) return FailArchive(writer, path);
  return {};
}

Status Pack(const std::string& path, const std::string& folder,
            const std::vector<EvidenceFile>& files) {
  const ArchiveHandle writer(archive_write_new());
  archive_write_set_format_pax_restricted(writer.get());
  if (archive_write_add_filter_zstd(writer.get()) < ARCHIVE_WARN ||
      archive_write_open_filename(writer.get(), path.c_str()) != ARCHIVE_OK)
    return FailArchive(writer.get(), path);
  for (const EvidenceFile& file : files)
    SB_RETURN_IF_ERROR(AddFile(writer.get(), path, folder, file));
  if (archive_write_close(writer.get()) != ARCHIVE_OK) return FailArchive(writer.get(), path);
  auto packed = OpenFile(path, O_RDWR);
  if (!packed) return Fail(packed.error());
  if (::fsync(packed->get()) != 0) return FailErrno("sync " + path, errno);
  return {};
}

void RemoveOldest(const std::string& directory) {
  const auto names = ListEvidence(directory);
  std::error_code ignored;
  for (std::size_t i = kEvidenceCountMax; i < names.size(); ++i) {
    fs::remove_all(directory + "/" + names[i], ignored);
    fs::remove(directory + "/" + names[i] + kArchiveSuffix, ignored);
  }
}

Status Write(const EvidenceBundle& bundle, const std::string& directory,
             const std::vector<EvidenceFile>& files) {
  SB_RETURN_IF_ERROR(Failpoint("evidence.write"));
  SB_RETURN_IF_ERROR(MakeDirectories(bundle.path));
  for (const EvidenceFile& file : files)
    SB_RETURN_IF_ERROR(WriteFileAtomically(bundle.path + "/" + file.name, file.content));
  SB_RETURN_IF_ERROR(Pack(bundle.archive, bundle.name, files));
  return SyncDirectory(directory);
}

}  // namespace

Result<EvidenceBundle> WriteEvidence(const std::string& directory, const std::string& name,
                                     const std::vector<EvidenceFile>& files) {
  const EvidenceBundle bundle{name, directory + "/" + name,
                              directory + "/" + name + kArchiveSuffix};
  if (auto written = Write(bundle, directory, files); !written) {
    std::error_code ignored;
    fs::remove_all(bundle.path, ignored);
    fs::remove(bundle.archive, ignored);
    return Fail(written.error());
  }
  RemoveOldest(directory);
  return bundle;
}

std::vector<std::string> ListEvidence(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_directory(error)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.rbegin(), names.rend());
  return names;
}

}  // namespace switchback
