#include "rollback/log_archive.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "common/log.hpp"
#include "rollback/backup_codec.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kRetryInterval{10};
constexpr std::string_view kTemporarySuffix = ".tmp";

std::vector<std::string> FilesIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Status LogArchive::Start() {
  SB_RETURN_IF_ERROR(MakeDirectories(options_.staging));
  SB_RETURN_IF_ERROR(MakeDirectories(options_.directory));
  for (const std::string& path : FilesIn(options_.directory)) {
    if (!path.ends_with(".zst")) ::unlink(path.c_str());  // not finished
  }
  thread_ = std::thread([this] { Run(); });
  return {};
}

void LogArchive::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

LogArchive::Hold LogArchive::HoldPieces() {
  MutexLock lock(mutex_);
  ++holds_;
  while (is_at_work_) changed_.Wait(mutex_);
  return Hold(this, [this](const void*) { EndHold(); });
}

void LogArchive::EndHold() {
  MutexLock lock(mutex_);
  --holds_;
  changed_.NotifyAll();
}

bool LogArchive::WaitUntilFree() {
  while (!is_stopping_ && holds_ > 0) changed_.Wait(mutex_);
  return !is_stopping_;
}

// Named after epoch and sequence, so that no two are called the same.
std::string LogArchive::StagedPath(std::uint64_t epoch, const std::string& path) const {
  return options_.staging + "/" + std::to_string(epoch) + "-" + fs::path(path).filename().string();
}

void LogArchive::Take(const std::string& path) {
  Status taken = MakeDirectories(options_.staging);
  auto reader = LogFileReader::Open(path);
  if (taken && !reader) taken = Fail(reader.error());
  if (taken) {
    const std::string to = StagedPath(reader->header().epoch, path);
    if (::rename(path.c_str(), to.c_str()) != 0) taken = FailErrno("rename " + path, errno);
  }
  if (!taken) {
    LogWarning("log archive: {} is lost to it: {}", path, taken.error().message);
    ::unlink(path.c_str());
    return;
  }
  MutexLock lock(mutex_);
  ++taken_;
  changed_.NotifyAll();
}

void LogArchive::Run() {
  while (true) {
    std::uint64_t taken = 0;
    {
      MutexLock lock(mutex_);
      if (!WaitUntilFree()) return;
      is_at_work_ = true;
      taken = taken_;
    }
    const auto is_empty = ArchiveOne();
    const Status pruned = is_empty && *is_empty ? Prune() : Status{};
    const Error* error = !is_empty ? &is_empty.error() : !pruned ? &pruned.error() : nullptr;
    MutexLock lock(mutex_);
    if (error != nullptr && error->message != error_) LogWarning("log archive: {}", error->message);
    error_ = error != nullptr ? error->message : "";
    if (is_empty && *is_empty) looked_at_ = taken;
    is_at_work_ = false;
    changed_.NotifyAll();
    if (error == nullptr && is_empty && !*is_empty) continue;
    const auto until = std::chrono::steady_clock::now() + kRetryInterval;
    while (!is_stopping_ && taken_ == taken && changed_.WaitUntil(mutex_, until)) {
    }
  }
}

Result<bool> LogArchive::ArchiveOne() {
  const std::vector<std::string> staged = FilesIn(options_.staging);
  if (staged.empty()) return true;
  const std::string& path = staged.front();
  const auto piece = InspectLogFile(path);
  if (!piece) return Fail(WithContext(piece.error(), path));
  if (!piece->is_empty()) {
    SB_RETURN_IF_ERROR(Failpoint("archive.compress"));
    const std::string to = options_.directory + "/" + ArchiveName(*piece);
    const std::string temporary = to + std::string(kTemporarySuffix);
    ::unlink(temporary.c_str());
    Status packed = CompressFile(path, temporary, options_.compression_level,
                                 [](std::uint64_t) { return Status{}; });
    if (packed) packed = SyncFile(temporary);
    if (!packed) {
      ::unlink(temporary.c_str());
      return Fail(packed.error());
    }
    if (::rename(temporary.c_str(), to.c_str()) != 0) return FailErrno("rename " + to, errno);
    SB_RETURN_IF_ERROR(SyncDirectory(options_.directory));
    SB_RETURN_IF_ERROR(Failpoint("archive.archived"));
  }
  if (::unlink(path.c_str()) != 0) return FailErrno("remove " + path, errno);
  return false;
}

Result<std::vector<LogPiece>> LogArchive::Archived() const {
  std::vector<LogPiece> pieces;
  for (const std::string& path : FilesIn(options_.directory)) {
    auto piece = ParseArchiveName(fs::path(path).filename().string());
    if (!piece) continue;
    piece->path = path;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) continue;  // it has just gone
    piece->bytes = static_cast<std::uint64_t>(info.st_size);
    pieces.push_back(*std::move(piece));
  }
  SortPieces(pieces);
  return pieces;
}

// From the oldest on, and no further than the first that stays: what is left has no gaps.
Status LogArchive::Prune() {
  const auto pieces = Archived();
  if (!pieces) return Fail(pieces.error());
  std::uint64_t bytes = 0;
  for (const LogPiece& piece : *pieces) bytes += piece.bytes;
  const WallTime oldest = clock_.WallNow() - options_.window;
  for (const LogPiece& piece : *pieces) {
    if (piece.last_at >= oldest && bytes <= options_.bytes_max) break;
    if (::unlink(piece.path.c_str()) != 0) return FailErrno("remove " + piece.path, errno);
    bytes -= piece.bytes;
  }
  return {};
}

Result<std::vector<LogPiece>> LogArchive::Pieces() const {
  // Staged ones first: what is compressed meanwhile is then seen twice instead of never.
  std::vector<LogPiece> pieces;
  for (const std::string& path : FilesIn(options_.staging)) {
    auto piece = InspectLogFile(path);
    if (piece && !piece->is_empty()) pieces.push_back(*std::move(piece));
  }
  auto archived = Archived();
  if (!archived) return archived;
  pieces.insert(pieces.end(), archived->begin(), archived->end());
  SortPieces(pieces);
  return pieces;
}

LogArchiveStatus LogArchive::GetStatus() const {
  LogArchiveStatus status;
  if (const auto archived = Archived(); archived) {
    status.pieces = archived->size();
    for (const LogPiece& piece : *archived) status.bytes += piece.bytes;
  }
  status.waiting = FilesIn(options_.staging).size();
  MutexLock lock(mutex_);
  status.error = error_;
  return status;
}

void LogArchive::Flush() {
  MutexLock lock(mutex_);
  while (!is_stopping_ && looked_at_ != taken_ && error_.empty()) changed_.Wait(mutex_);
}

}  // namespace switchback
