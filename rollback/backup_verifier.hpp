// Looks whether a backup is what it was when it was made.
#pragma once

#include <string>
#include <vector>

#include "rollback/backup_directory.hpp"
#include "rollback/backup_progress.hpp"

namespace switchback {

struct BackupVerdict {
  bool is_full = false;  // the engines looked at it, and every record was counted again
  std::vector<std::string> problems;  // empty = it is whole
  [[nodiscard]] bool is_ok() const { return problems.empty(); }
};

// Always: manifest, state, the set of files, sizes and SHA-256 of each file. Full: besides,
// unpacked, opened read-only apart from everything else, the engine's own check, state and digest
// of every collection, and the halves with each other. Changes nothing in the backup. Errors:
// kNotFound, kNoSpace (to unpack it), kIo, kCancelled. Damage is a verdict, not an error.
Result<BackupVerdict> VerifyBackup(const BackupDirectory& directory, const std::string& id,
                                   bool is_full, BackupProgress& progress);

// Writes the halves of a backup as an ordinary LMDB environment, `to`/legacy, and an ordinary
// SQLite file, `to`/unified.sqlite. Checksums are compared on the way; kCorruption when they don't
// fit. kConflict: something of that name is there. `to` is made when it is missing.
Status ExportBackup(const BackupDirectory& directory, const std::string& id, const std::string& to,
                    BackupProgress& progress);

}  // namespace switchback
