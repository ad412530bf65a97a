// Makes one backup: both stores at one batch, checked before it counts.
//
// (1) The stores are pinned at one sequence and copied at the same time, each by a thread of its
// own; they go on as soon as both are copied. (2) Each copy is read back: its checksum, the
// engine's own check, and a digest of every collection; two halves are compared with each other, a
// single one with its source. Meanwhile it is synced, or compressed and what that made read back.
// (3) Manifest and directory are synced; one rename makes it a backup. A crash before that leaves
// <id>.tmp, which counts for nothing.
#pragma once

#include <cstdint>
#include <string>

#include "rollback/backup_codec.hpp"
#include "rollback/backup_directory.hpp"
#include "rollback/backup_progress.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct BackupRequest {
  BackupReason reason = BackupReason::kManual;
  std::string note;
  std::string actor;
  std::string software;  // version of this program
  bool is_compressed = false;
  int compression_level = kBackupCompressionLevel;
  std::uint64_t space_margin_bytes = 64ull << 20;  // left free beside the backup
  std::chrono::milliseconds pin_wait_max{30000};
};

// A new id: the time to the second and four random digits.
std::string NewBackupId(WallTime now);

// Makes the backup `id`. Errors, after which there is nothing of it: kNoSpace (asked before it
// begins, with what it needs), kCorruption (a copy is not what it should be), those of
// DbService::PinStores, kCancelled, kIo.
Result<BackupManifest> WriteBackup(DbService& service, const BackupDirectory& directory,
                                   const std::string& id, const BackupRequest& request,
                                   const Clock& clock, BackupProgress& progress);

}  // namespace switchback
