// The commit log: the one ordered, durable sequence of batches (I1, I2, I3). A directory of files,
// log_file.hpp says what is in one.
//
// Rules:
// (1) Append returns success only when the record is on the disk.
// (2) A failed append or sync gives the file up: what it left behind is void, because the next
// append begins a new file whose
//     header states its first sequence, and records at or past that sequence in older files do not
//     count.
// (3) Opening cuts a torn tail: the first invalid record of the newest file ends the log, unless a
// valid record follows it, which is
//     damage to acknowledged data and refused (kCorruption).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/file.hpp"
#include "common/limits.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "service/log_file.hpp"
#include "service/log_spares.hpp"

namespace switchback {

struct CommitLogOptions {
  std::string directory;  // made when missing
  std::uint64_t file_bytes = kLogFileBytesDefault;
  bool make_spares = true;  // off for readers and small tests: no background thread
  const Clock* clock = &SystemClock();
  // Given each file that the log needs no longer, and has to take it away from there. Empty: they
  // are used again or removed.
  std::function<void(const std::string& path)> take_file = {};
};

// Append from one thread; everything else from any thread.
class CommitLog {
 public:
  // Errors: kCorruption (names file and sequence; nothing is changed), kIo, kNoSpace, kUnsupported
  // (newer format).
  static Result<std::unique_ptr<CommitLog>> Open(CommitLogOptions options);

  [[nodiscard]] const std::string& log_id() const { return log_id_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  // Sequence of the oldest batch still here (last_sequence() + 1 when there is none), and of the
  // newest.
  [[nodiscard]] std::uint64_t first_sequence() const SB_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t last_sequence() const {
    return last_sequence_.load(std::memory_order_acquire);
  }

  // Makes one record of `first` + `second` durable as last_sequence() + 1. Blocks for the disk.
  // Errors: kNoSpace and kIo: not acknowledged, and never visible in this process; after
  // kUnknownOutcome the batch may be found by a recovery that comes before the next successful
  // append. Call again whenever: it begins a new file.
  Status Append(std::string_view first, std::string_view second);

  // After a failed Append: begins a new file now, to find out whether the log works again. Append's
  // thread.
  Status BeginNewFile();

  // A file made ready in another directory.
  struct Continuation {
    std::string directory;
    std::uint64_t epoch = 0;
    std::uint64_t first_sequence = 0;
    std::uint64_t bytes = 0;
    std::uint64_t salt = 0;
    UniqueFd file;
  };
  // Makes the first file of a log in `directory`, durable: opened later, it goes on with
  // `first_sequence`. `log_id` "" = a new one. Gives the log's id.
  static Result<std::string> Begin(const std::string& directory, std::string log_id,
                                   std::uint64_t epoch, std::uint64_t first_sequence);
  // Makes the log's next file in `directory`, as the first of `epoch`: durable, and not in use yet.
  // Append's thread.
  Result<Continuation> PrepareIn(const std::string& directory, std::uint64_t epoch);
  // Goes on there. The files of before stay where they are and are not read any more. Append's
  // thread, nothing appended since PrepareIn. Gives the spares of before, to be let go where nobody
  // waits.
  std::shared_ptr<LogSpares> GoOnIn(Continuation next) SB_EXCLUDES(mutex_);

  // Gives back files whose batches are all < `sequence`.
  void TrimBefore(std::uint64_t sequence) SB_EXCLUDES(mutex_);

  struct Size {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
  };
  [[nodiscard]] Size GetSize() const SB_EXCLUDES(mutex_);
  // Bytes appended since open.
  [[nodiscard]] std::uint64_t appended_bytes() const {
    return appended_bytes_.load(std::memory_order_relaxed);
  }

  // Reads in order. One thread; must not outlive the log.
  class Reader {
   public:
    // The next record if its sequence is <= `last` (and <= last_sequence()), else nullopt.
    // Errors: kNotFound (trimmed), kCorruption, kIo.
    Result<std::optional<LogRecord>> Next(std::uint64_t last);

   private:
    friend class CommitLog;
    Reader(const CommitLog& log, std::uint64_t next) : log_(log), next_(next) {}
    Status OpenFileOfNext();
    Result<LogRecord> ReadNext();
    const CommitLog& log_;
    std::uint64_t next_;
    std::uint64_t file_last_ = 0;  // records past it are in the next file
    std::optional<LogFileReader> file_;
  };
  // Records with sequence > `after`.
  [[nodiscard]] Reader NewReader(std::uint64_t after) const { return Reader(*this, after + 1); }

 private:
  struct FileInfo {
    std::string path;
    std::uint64_t bytes = 0;
  };
  explicit CommitLog(CommitLogOptions options)
      : options_(std::move(options)), directory_(options_.directory) {}
  [[nodiscard]] std::shared_ptr<LogSpares> spares() const SB_EXCLUDES(mutex_);
  Status Recover();
  Status ScanFile(const std::string& path, std::optional<std::uint64_t> next_first, bool is_newest);
  Status ContinueNewest(const std::string& path, std::uint64_t last_offset, std::uint64_t end);
  Status BeginFile(std::uint64_t first_sequence, std::uint64_t record_bytes);
  // `zero_bytes` 0: the file is a spare and has its size.
  static Result<UniqueFd> MakeFile(const std::string& temporary, std::uint64_t zero_bytes,
                                   const LogFileHeader& header, const std::string& directory);
  Status WriteRecord(std::string_view header, std::string_view first, std::string_view second);

  const CommitLogOptions options_;
  std::string log_id_;
  std::atomic<std::uint64_t> epoch_{1};
  std::string directory_;  // Append's thread only
  std::atomic<std::uint64_t> last_sequence_{0};
  std::atomic<std::uint64_t> appended_bytes_{0};

  // The file appended to; closed after a failure. Append's thread only.
  UniqueFd current_;
  std::uint64_t current_salt_ = 0;
  std::uint64_t current_offset_ = 0;
  std::uint64_t current_bytes_ = 0;

  mutable Mutex mutex_;
  std::map<std::uint64_t, FileInfo> files_ SB_GUARDED_BY(mutex_);  // by first sequence
  std::shared_ptr<LogSpares> spares_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
