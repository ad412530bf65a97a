// The archive of the commit log: what leaves the log is compressed and kept for as long as somebody
// may want to go back to a moment in it.
//
//   <staging>/<name>              given by the log, not yet compressed
//   <directory>/log.<epoch>.<first>.<last>.<first us>.<last us>.zst
//
// A file is in one of the two from the moment at which the log gives it up; a crash in between only
// means that it is compressed again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "rollback/log_piece.hpp"

namespace switchback {

struct LogArchiveOptions {
  std::string staging;                         // on the disk of the log: files are renamed to there
  std::string directory;                       // made when missing
  std::chrono::seconds window{7 * 24 * 3600};  // pieces whose newest batch is older go
  std::uint64_t bytes_max = 4ull << 30;        // the oldest go first
  int compression_level = 3;
};

struct LogArchiveStatus {
  std::uint64_t pieces = 0;
  std::uint64_t bytes = 0;
  std::uint64_t waiting = 0;  // to be compressed
  std::string error;          // why it does not go on; "" = nothing is wrong
};

// Thread-safe. `clock` outlives it.
class LogArchive {
 public:
  LogArchive(LogArchiveOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}
  ~LogArchive() { Stop(); }
  LogArchive(const LogArchive&) = delete;
  LogArchive& operator=(const LogArchive&) = delete;

  // Once the data directory is surely ours. Goes on with what a crash left.
  Status Start();
  // Ends after the file at hand.
  void Stop() SB_EXCLUDES(mutex_);

  // Takes a closed file of the log, which must not be used by anybody from now on. Before Start as
  // well. Quick: a rename.
  void Take(const std::string& path) SB_EXCLUDES(mutex_);

  // While it lives, what Pieces gives stays where it is: nothing is compressed and nothing goes.
  // Waits for the end of the file at hand.
  using Hold = std::shared_ptr<const void>;
  [[nodiscard]] Hold HoldPieces() SB_EXCLUDES(mutex_);
  // Where Take puts a file of the log of that epoch.
  [[nodiscard]] std::string StagedPath(std::uint64_t epoch, const std::string& path) const;

  // What it has, compressed or not yet, by epoch and first sequence.
  [[nodiscard]] Result<std::vector<LogPiece>> Pieces() const;
  [[nodiscard]] LogArchiveStatus GetStatus() const SB_EXCLUDES(mutex_);
  // Waits until nothing is left to be compressed, or something is wrong.
  void Flush() SB_EXCLUDES(mutex_);

 private:
  void Run() SB_EXCLUDES(mutex_);
  // False: it is to end.
  bool WaitUntilFree() SB_REQUIRES(mutex_);
  void EndHold() SB_EXCLUDES(mutex_);
  // True when nothing is left.
  Result<bool> ArchiveOne();
  Status Prune();
  [[nodiscard]] Result<std::vector<LogPiece>> Archived() const;

  const LogArchiveOptions options_;
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  bool is_at_work_ SB_GUARDED_BY(mutex_) = false;
  unsigned holds_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t looked_at_ SB_GUARDED_BY(mutex_) = 0;  // of taken_, when the staging was empty
  std::string error_ SB_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace switchback
