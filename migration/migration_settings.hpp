// What an operator may set about a migration: how fast it goes, when it gives up by itself.
// Everything can be changed while it runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace switchback {

// 0 switches a limit off, unless it says otherwise.
struct MigrationSettings {
  // --- Throttle: any of these slows the copy ---
  std::uint64_t bytes_per_second = 0;
  std::uint64_t records_per_second = 0;
  // Foreground p99 over what it was before the copy. The goal is 1.2 over the whole copy; a signal
  // is past its limit for a moment before the copy has slowed down.
  double p99_ratio_max = 1.15;
  std::uint64_t lag_ms_max = 5000;  // age of the oldest write that the source has not applied
  double load_max = 0;              // load average over one minute, per core
  // These stop the copy until there is room again.
  std::uint64_t disk_free_bytes_min = 1ull << 30;  // where the target lies
  double throttle_memory_share_max = 0.85;         // of the machine, or of the control group

  // --- Limits: past one of these the migration is rolled back ---
  double invalid_share_max = 0.10;  // of all records; 1 = never
  std::uint64_t unreachable_ms_max = 60'000;
  double memory_share_max = 0.90;
  std::uint64_t seconds_max = 0;  // 0 = SecondsMax of the record count; paused time is not counted

  bool is_verified_after = true;    // a full verify is part of the migration
  bool is_backed_up_before = true;  // a backup comes before the copy, and before legacy is let go

  friend bool operator==(const MigrationSettings&, const MigrationSettings&) = default;

  // How long a migration of that many records may take: 5 minutes up to 10,000 records, and 5
  // minutes for each 10,000 above.
  [[nodiscard]] std::uint64_t SecondsMax(std::uint64_t records) const;
};

// The settings as a JSON object on one line.
std::string MigrationSettingsToJson(const MigrationSettings& settings);
// Changes those that the JSON object names. kInvalidArgument names the key and what it takes;
// nothing is changed then.
Status ChangeMigrationSettings(std::string_view json, MigrationSettings& settings);
// Name and explanation of every setting, for help texts.
struct MigrationSettingHelp {
  std::string name;
  std::string text;
};
std::vector<MigrationSettingHelp> MigrationSettingsHelp();

}  // namespace switchback
