// A place off the machine where backups are kept: another disk, a mounted file system, a bucket.
//
// A backup is there once its manifest is, and not before: its files come first, Publish comes last.
// What is there is hostile input like any other backup: names are checked, sizes are limited by the
// caller, and nothing counts before its checksum fits (rollback/backup_transfer).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "rollback/backup_codec.hpp"
#include "rollback/backup_progress.hpp"

namespace switchback {

// More backups than this in one place are an error (kTooLarge), not a longer wait.
inline constexpr std::size_t kTargetBackupsMax = 10000;

// A file of a backup, wholly stored.
struct TargetFile {
  std::string name;
  std::uint64_t bytes = 0;
};

// Ids and names of files are those of a backup directory: [0-9A-Za-z_-]{1,64}, and letters, digits,
// '.', '_', '-' (kInvalidArgument otherwise). Calls block for the disk or the network, by
// `progress` for the rate that was asked for, and end soon after it was cancelled (kCancelled).
// Thread-safe, as far as one backup is not changed by two threads. Errors besides those named: kIo,
// kNoSpace, kUnavailable (cannot be reached, or no answer in time), kRefused (keys, certificate,
// clock; the message says what to do).
class BackupTarget {
 public:
  BackupTarget() = default;
  virtual ~BackupTarget() = default;
  BackupTarget(const BackupTarget&) = delete;
  BackupTarget& operator=(const BackupTarget&) = delete;

  // For people: "/mnt/backups", "s3://bucket/prefix". No secrets.
  [[nodiscard]] virtual std::string Name() const = 0;

  // Ids of the backups that are there, the newest first.
  virtual Result<std::vector<std::string>> ListBackups(BackupProgress& progress) = 0;
  // The files of the backup, published or not, sorted by name. Empty: there is nothing of it.
  virtual Result<std::vector<TargetFile>> ListFiles(const std::string& id,
                                                    BackupProgress& progress) = 0;

  // A small file of a backup that is there. kNotFound; kTooLarge past `bytes_max`.
  virtual Result<std::string> ReadText(const std::string& id, const std::string& name,
                                       std::size_t bytes_max, BackupProgress& progress) = 0;
  // Reads a file of a backup that is there into the empty file `fd`. kNotFound; kCorruption when it
  // is not of exactly `bytes`; no more than these are written.
  virtual Status GetFile(const std::string& id, const std::string& name, int fd,
                         std::uint64_t bytes, BackupProgress& progress) = 0;

  // Stores the file `fd`, whole and durable on return, as a file of a backup that is not there yet.
  // Goes on with what an interrupted call left behind, as far as that is the same. kCorruption: the
  // file is not what `sum` says.
  virtual Status PutFile(const std::string& id, const std::string& name, int fd, const FileSum& sum,
                         BackupProgress& progress) = 0;
  // The same of a small file.
  virtual Status PutText(const std::string& id, const std::string& name, std::string_view text,
                         BackupProgress& progress) = 0;
  // Stores the manifest: from here on the backup is there, durably. kConflict: one of that id is.
  virtual Status Publish(const std::string& id, std::string_view manifest,
                         BackupProgress& progress) = 0;
  // Removes the backup, the manifest first, and what interrupted calls left of it. kNotFound: there
  // was nothing of it.
  virtual Status Remove(const std::string& id, BackupProgress& progress) = 0;
};

// A name of a file as above.
bool IsValidTargetFileName(std::string_view name);
// kInvalidArgument unless both are as above.
Status CheckTargetNames(const std::string& id, const std::string& name);

}  // namespace switchback
