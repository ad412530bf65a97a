// Which backups may go. A pure function of what there is and of the time, so that every rule can be
// tried without a clock or a disk.
//
// In the order of their strength: (1) in use, pinned, damaged, made before a migration, a schema
// change, a restore, a rollback or a completion: stays until somebody deletes it by hand. (2) The
// newest verified one stays, and the newest `keep_min`. (3) What is dated in the future stays: the
// clock is wrong now, or was then. (4) The newest of each of the last days, weeks and months stays,
// as many as are asked for. (5) What is older than `age_max`, or beyond the newest `count_max`,
// goes.
//
// Age is measured from the newest backup at the most, not from a later now: a clock that has jumped
// ahead deletes nothing. Where nobody looks on it is the second newest one, so that nothing goes
// either when a backup was made since.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "rollback/backup_manifest.hpp"

namespace switchback {

enum class PruneBy : std::uint8_t { kOperator, kSchedule };

struct RetentionPolicy {
  std::chrono::hours age_max{30 * 24};  // 0 = any age
  std::uint32_t count_max = 0;          // 0 = any number
  std::uint32_t keep_min = 1;
  std::uint32_t daily = 0, weekly = 0, monthly = 0;
};

struct RetentionItem {
  std::string id;
  WallTime created_at{};
  BackupReason reason = BackupReason::kManual;
  bool is_verified = false;
  bool is_pinned = false;
  bool is_damaged = false;  // its manifest cannot be read, so that its date is unknown
  bool is_in_use = false;
};

struct RetentionVerdict {
  std::string id;
  bool goes = false;
  std::string why;
};

// One verdict an item, the newest first.
std::vector<RetentionVerdict> DecideRetention(const RetentionPolicy& policy,
                                              std::vector<RetentionItem> items, WallTime now,
                                              PruneBy by);

}  // namespace switchback
