// Backups and operations on them as JSON, for the HTTP interface and for commands. Units are in the
// names.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "rollback/backup_manager.hpp"

namespace switchback {

// What a list shows of a backup.
nlohmann::ordered_json BackupJson(const BackupEntry& entry, WallTime now);
// The same with its manifest: all that is known.
nlohmann::ordered_json BackupDetailJson(const BackupEntry& entry, WallTime now);
// All of them, with their number, size and age.
nlohmann::ordered_json BackupListJson(const std::vector<BackupEntry>& entries,
                                      const std::string& directory, WallTime now);
// Those at a target, in the same form; "directory" is the target's name.
nlohmann::ordered_json RemoteBackupListJson(const RemoteBackups& remote, WallTime now);
// {"state": "none"} when there was none.
nlohmann::ordered_json BackupOperationJson(const std::optional<BackupOperation>& operation);
nlohmann::ordered_json BackupVerdictJson(const BackupVerdict& verdict);
nlohmann::ordered_json RestorePlanJson(const RestorePlan& plan);
nlohmann::ordered_json RetentionJson(const std::vector<RetentionVerdict>& verdicts,
                                     bool is_dry_run);

}  // namespace switchback
