#include "service/commit_log.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr std::string_view kFilePrefix = "log-";
constexpr int kSequenceDigits = 20;

Result<std::string> RandomBytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size))
    return FailErrno("getrandom", errno);
  return bytes;
}

Result<std::string> NewLogId() {
  auto random = RandomBytes(kLogIdBytes / 2);
  if (!random) return Fail(random.error());
  std::string id;
  for (const char c : *random) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    id += digits;
  }
  return id;
}

Result<std::uint64_t> NewSalt() {
  auto random = RandomBytes(sizeof(std::uint64_t));
  if (!random) return Fail(random.error());
  std::uint64_t salt = 0;
  std::memcpy(&salt, random->data(), sizeof salt);
  return salt;
}

// First sequence from a file name, or nullopt when it is not a file of the log.
std::optional<std::uint64_t> SequenceOfName(std::string_view name) {
  if (name.substr(0, kFilePrefix.size()) != kFilePrefix) return std::nullopt;
  const std::string digits(name.substr(kFilePrefix.size()));
  if (digits.size() != kSequenceDigits ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::strtoull(digits.c_str(), nullptr, 10);
}

Status WriteAll(int fd, std::array<iovec, 3> parts, std::uint64_t offset) {
  std::size_t first = 0;
  while (first < parts.size()) {
    const ssize_t written =
        ::pwritev(fd, parts.data() + first, static_cast<int>(parts.size() - first),
                  static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FailErrno("write", errno);
    offset += static_cast<std::uint64_t>(written);
    auto rest = static_cast<std::size_t>(written);
    while (first < parts.size() && rest >= parts[first].iov_len) rest -= parts[first++].iov_len;
    if (first < parts.size()) {
      parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + rest;
      parts[first].iov_len -= rest;
    }
  }
  return {};
}

std::string PathOf(const std::string& directory, std::uint64_t first_sequence) {
  char name[32];
  std::snprintf(name, sizeof name, "log-%020llu", static_cast<unsigned long long>(first_sequence));
  return directory + "/" + name;
}

iovec Part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<CommitLog>> CommitLog::Open(CommitLogOptions options) {
  SB_RETURN_IF_ERROR(MakeDirectories(options.directory));
  std::unique_ptr<CommitLog> log(new CommitLog(std::move(options)));
  SB_RETURN_IF_ERROR(log->Recover());
  if (log->options_.make_spares) {
    MutexLock lock(log->mutex_);
    log->spares_ = std::make_shared<LogSpares>(log->directory_, log->options_.file_bytes);
  }
  return log;
}

std::shared_ptr<LogSpares> CommitLog::spares() const {
  MutexLock lock(mutex_);
  return spares_;
}

Status CommitLog::Recover() {
  DIR* listing = ::opendir(directory_.c_str());
  if (listing == nullptr) return FailErrno("open " + directory_, errno);
  {
    MutexLock lock(mutex_);
    while (const dirent* entry = ::readdir(listing)) {
      if (const auto first = SequenceOfName(entry->d_name))
        files_[*first].path = PathOf(directory_, *first);
    }
  }
  ::closedir(listing);

  std::map<std::uint64_t, FileInfo> files;
  {
    MutexLock lock(mutex_);
    files = files_;
  }
  if (files.empty()) {
    auto id = NewLogId();
    if (!id) return Fail(id.error());
    log_id_ = *std::move(id);
    return BeginFile(1, 0);
  }
  for (auto file = files.begin(); file != files.end(); ++file) {
    const auto next = std::next(file);
    const bool is_newest = next == files.end();
    SB_RETURN_IF_ERROR(ScanFile(file->second.path,
                                is_newest ? std::nullopt : std::optional(next->first), is_newest));
  }
  return {};
}

Status CommitLog::ScanFile(const std::string& path, std::optional<std::uint64_t> next_first,
                           bool is_newest) {
  auto reader = LogFileReader::Open(path);
  if (!reader) return Fail(WithContext(reader.error(), "the commit log cannot be opened"));
  const LogFileHeader& header = reader->header();
  if (path != PathOf(directory_, header.first_sequence)) {
    return Fail(ErrorCode::kCorruption, path +
                                            " is not the file that its name says (it begins at "
                                            "batch " +
                                            std::to_string(header.first_sequence) + ")");
  }
  if (!log_id_.empty() && header.log_id != log_id_) {
    return Fail(ErrorCode::kCorruption, path + " belongs to another commit log");
  }
  log_id_ = header.log_id;
  epoch_ = header.epoch;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return FailErrno("stat " + path, errno);
  {
    MutexLock lock(mutex_);
    files_[header.first_sequence] = {path, static_cast<std::uint64_t>(info.st_size)};
  }
  // Older files were whole when the newer one began: their records are checked when they are read.
  if (!is_newest) {
    last_sequence_.store(*next_first - 1);
    return {};
  }
  std::uint64_t last = header.first_sequence - 1;
  std::uint64_t last_offset = reader->offset();
  while (true) {
    const std::uint64_t offset = reader->offset();
    auto record = reader->Read(last + 1);
    if (!record) return Fail(WithContext(record.error(), path));
    if (!record->has_value()) break;
    ++last;
    last_offset = offset;
  }
  auto damaged = reader->HasRecordAhead(last + 1);
  if (!damaged) return Fail(WithContext(damaged.error(), path));
  if (*damaged) {
    return Fail(ErrorCode::kCorruption,
                path + ": batch " + std::to_string(last + 1) +
                    " is damaged although later batches are intact: this is not a torn "
                    "tail. Nothing was changed; run `switchback doctor`");
  }
  last_sequence_.store(last, std::memory_order_release);
  current_salt_ = header.salt;
  current_bytes_ = static_cast<std::uint64_t>(info.st_size);
  return ContinueNewest(path, last_offset, reader->offset());
}

// The tail past `end` may hold half a record of ours. New records overwrite it; until one is
// complete the checksum keeps it void. The last record (from `last_offset`) and the file's name may
// be in the page cache only, when the process died before it had synced them: from here on they
// count, so they must be durable before anyone acts on them. The record is written anew for it: had
// its sync failed, its pages would pass for clean, and another sync would prove nothing.
Status CommitLog::ContinueNewest(const std::string& path, std::uint64_t last_offset,
                                 std::uint64_t end) {
  auto fd = OpenFile(path, O_RDWR);
  if (!fd) return Fail(fd.error());
  std::string record(end - last_offset, '\0');
  auto got = ReadAt(fd->get(), record.data(), record.size(), last_offset);
  if (!got) return Fail(WithContext(got.error(), path));
  record.resize(*got);
  if (auto written = WriteAt(fd->get(), record, last_offset); !written)
    return Fail(WithContext(written.error(), path));
  if (::fdatasync(fd->get()) != 0) return FailErrno("fdatasync " + path, errno);
  SB_RETURN_IF_ERROR(SyncDirectory(directory_));
  current_ = *std::move(fd);
  current_offset_ = end;
  return {};
}

Status CommitLog::BeginFile(std::uint64_t first_sequence, std::uint64_t record_bytes) {
  SB_RETURN_IF_ERROR(Failpoint("log.create"));
  current_.Close();
  const std::uint64_t bytes_needed = kLogFileHeaderBytes + record_bytes;
  auto salt = NewSalt();
  if (!salt) return Fail(salt.error());
  const auto spares = this->spares();
  std::string temporary = spares && bytes_needed <= options_.file_bytes ? spares->Take() : "";
  const bool is_spare = !temporary.empty();
  if (!is_spare) temporary = directory_ + "/new.tmp";
  const std::uint64_t bytes =
      is_spare ? options_.file_bytes
               : std::max(bytes_needed, std::min(options_.file_bytes, kLogHurriedFileBytes));
  auto file = MakeFile(temporary, is_spare ? 0 : bytes, {epoch(), first_sequence, *salt, log_id_},
                       directory_);
  if (!file) {
    ::unlink(temporary.c_str());  // a spare is nobody's once it is taken
    return Fail(file.error());
  }
  current_ = *std::move(file);
  current_salt_ = *salt;
  current_offset_ = kLogFileHeaderBytes;
  current_bytes_ = bytes;
  MutexLock lock(mutex_);
  files_[first_sequence] = {PathOf(directory_, first_sequence), bytes};
  return {};
}

// Without a spare the zeros are written now, into a small file: a write waits for it. Blocks that
// are only reserved are no way out: their first use changes the file's metadata, which makes each
// sync slower, and in simulated power cuts two acknowledged records were lost there.
Result<UniqueFd> CommitLog::MakeFile(const std::string& temporary, std::uint64_t zero_bytes,
                                     const LogFileHeader& header, const std::string& directory) {
  auto fd = OpenFile(temporary, O_RDWR | O_CREAT | (zero_bytes > 0 ? O_TRUNC : 0));
  if (!fd) return fd;
  SB_RETURN_IF_ERROR(WriteZeros(fd->get(), zero_bytes, 0));
  SB_RETURN_IF_ERROR(WriteAt(fd->get(), EncodeLogFileHeader(header), 0));
  if (::fdatasync(fd->get()) != 0) return FailErrno("fdatasync " + temporary, errno);
  if (::rename(temporary.c_str(), PathOf(directory, header.first_sequence).c_str()) != 0)
    return FailErrno("rename " + temporary, errno);
  SB_RETURN_IF_ERROR(SyncDirectory(directory));
  return fd;
}

Result<std::string> CommitLog::Begin(const std::string& directory, std::string log_id,
                                     std::uint64_t epoch, std::uint64_t first_sequence) {
  SB_RETURN_IF_ERROR(MakeDirectories(directory));
  auto salt = NewSalt();
  if (!salt) return Fail(salt.error());
  auto id = log_id.empty() ? NewLogId() : Result<std::string>(std::move(log_id));
  if (!id) return id;
  auto file = MakeFile(directory + "/new.tmp", kLogHurriedFileBytes,
                       {epoch, first_sequence, *salt, *id}, directory);
  if (!file) return Fail(file.error());
  return id;
}

Result<CommitLog::Continuation> CommitLog::PrepareIn(const std::string& directory,
                                                     std::uint64_t epoch) {
  SB_RETURN_IF_ERROR(MakeDirectories(directory));
  auto salt = NewSalt();
  if (!salt) return Fail(salt.error());
  Continuation next;
  next.directory = directory;
  next.epoch = epoch;
  next.first_sequence = last_sequence() + 1;
  next.bytes = std::min(options_.file_bytes, kLogHurriedFileBytes);
  next.salt = *salt;
  auto file = MakeFile(directory + "/new.tmp", next.bytes,
                       {epoch, next.first_sequence, next.salt, log_id_}, directory);
  if (!file) return Fail(file.error());
  next.file = *std::move(file);
  return next;
}

std::shared_ptr<LogSpares> CommitLog::GoOnIn(Continuation next) {
  SB_CHECK(next.first_sequence == last_sequence() + 1, "nothing was appended meanwhile");
  directory_ = next.directory;
  current_ = std::move(next.file);
  current_salt_ = next.salt;
  current_offset_ = kLogFileHeaderBytes;
  current_bytes_ = next.bytes;
  epoch_.store(next.epoch, std::memory_order_release);
  std::shared_ptr<LogSpares> spares;
  if (options_.make_spares) spares = std::make_shared<LogSpares>(directory_, options_.file_bytes);
  MutexLock lock(mutex_);
  files_ = {{next.first_sequence, {PathOf(directory_, next.first_sequence), next.bytes}}};
  spares.swap(spares_);
  return spares;
}

Status CommitLog::WriteRecord(std::string_view header, std::string_view first,
                              std::string_view second) {
  SB_RETURN_IF_ERROR(Failpoint("log.append"));
  SB_RETURN_IF_ERROR(
      WriteAll(current_.get(), {Part(header), Part(first), Part(second)}, current_offset_));
  SB_RETURN_IF_ERROR(Failpoint("log.sync"));
  if (::fdatasync(current_.get()) != 0) return FailErrno("fdatasync", errno);
  return {};
}

Status CommitLog::Append(std::string_view first, std::string_view second) {
  const std::uint64_t sequence = last_sequence_.load(std::memory_order_relaxed) + 1;
  const std::uint64_t bytes = LogRecordBytes(first.size() + second.size());
  if (!current_.is_open() || current_offset_ + bytes > current_bytes_) {
    if (auto begun = BeginFile(sequence, bytes); !begun) {
      return Fail(WithContext(begun.error(), "commit log: begin a file"));
    }
  }
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
      options_.clock->WallNow().time_since_epoch());
  const std::string header = EncodeLogRecordHeader(
      current_salt_, sequence, static_cast<std::uint64_t>(now.count()), first, second);
  if (auto written = WriteRecord(header, first, second); !written) {
    current_.Close();  // rule (2)
    const ErrorCode code = written.error().code == ErrorCode::kNoSpace ? ErrorCode::kNoSpace
                                                                       : ErrorCode::kUnknownOutcome;
    return Fail(code, "commit log: " + written.error().message);
  }
  current_offset_ += bytes;
  appended_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  last_sequence_.store(sequence, std::memory_order_release);
  return {};
}

Status CommitLog::BeginNewFile() {
  return current_.is_open() ? Status{} : BeginFile(last_sequence() + 1, 0);
}

std::uint64_t CommitLog::first_sequence() const {
  MutexLock lock(mutex_);
  return files_.empty() ? last_sequence() + 1 : files_.begin()->first;
}

void CommitLog::TrimBefore(std::uint64_t sequence) {
  std::vector<std::string> unneeded;
  {
    MutexLock lock(mutex_);
    while (files_.size() > 1 && std::next(files_.begin())->first <= sequence) {
      unneeded.push_back(files_.begin()->second.path);
      files_.erase(files_.begin());
    }
  }
  if (unneeded.empty()) return;
  const auto spares = this->spares();
  for (const std::string& path : unneeded) {
    if (options_.take_file) {
      options_.take_file(path);
    } else if (spares) {
      spares->Recycle(path);
    } else {
      ::unlink(path.c_str());
    }
  }
}

CommitLog::Size CommitLog::GetSize() const {
  MutexLock lock(mutex_);
  Size size;
  size.files = files_.size();
  for (const auto& [first, file] : files_) size.bytes += file.bytes;
  return size;
}

Status CommitLog::Reader::OpenFileOfNext() {
  std::string path;
  {
    MutexLock lock(log_.mutex_);
    auto file = log_.files_.upper_bound(next_);
    if (file == log_.files_.begin()) {
      return Fail(ErrorCode::kNotFound,
                  "batch " + std::to_string(next_) + " has left the commit log");
    }
    file_last_ = file == log_.files_.end() ? UINT64_MAX : file->first - 1;
    path = std::prev(file)->second.path;
  }
  auto reader = LogFileReader::Open(path);
  if (!reader) return Fail(reader.error());
  file_ = *std::move(reader);
  // Walk to the record: files are read from their start, once per reader.
  for (std::uint64_t at = file_->header().first_sequence; at < next_; ++at) {
    auto record = file_->Read(at);
    if (!record) return Fail(record.error());
    if (!record->has_value())
      return Fail(ErrorCode::kCorruption, path + ": batch " + std::to_string(at) + " is damaged");
  }
  return {};
}

Result<std::optional<LogRecord>> CommitLog::Reader::Next(std::uint64_t last) {
  if (next_ > std::min(last, log_.last_sequence())) return std::optional<LogRecord>{};
  const bool is_new_file_possible = file_ && file_last_ == UINT64_MAX;
  if (is_new_file_possible) {  // the newest file when it was opened: there may be a newer one by
                               // now
    MutexLock lock(log_.mutex_);
    if (const auto newer = log_.files_.upper_bound(file_->header().first_sequence);
        newer != log_.files_.end()) {
      file_last_ = newer->first - 1;
    }
  }
  auto record = ReadNext();
  if (!record) {
    file_.reset();
    if (next_ < log_.first_sequence()) {  // recycled under our feet
      return Fail(ErrorCode::kNotFound,
                  "batch " + std::to_string(next_) + " has left the commit log");
    }
    return Fail(record.error());
  }
  ++next_;
  return std::optional<LogRecord>(*record);
}

Result<LogRecord> CommitLog::Reader::ReadNext() {
  if (!file_ || next_ > file_last_) SB_RETURN_IF_ERROR(OpenFileOfNext());
  auto record = file_->Read(next_);
  if (!record) return Fail(record.error());
  if (!record->has_value())
    return Fail(ErrorCode::kCorruption,
                "commit log: batch " + std::to_string(next_) + " is damaged");
  return **record;
}

}  // namespace switchback
