// What a backup says of itself (MANIFEST.json), and what was found out about it since (STATE.json).
// Both are sealed: the text holds a SHA-256 of its own content and has one form only, so that no
// bit of it can change unnoticed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backends/collection_digest.hpp"
#include "common/clock.hpp"
#include "common/result.hpp"
#include "service/role.hpp"

namespace switchback {

inline constexpr std::size_t kManifestBytesMax = 4u << 20;
inline constexpr std::size_t kBackupNoteBytesMax = 1000;
inline constexpr const char* kManifestName = "MANIFEST.json";
inline constexpr const char* kStateName = "STATE.json";

enum class BackupReason : std::uint8_t {
  kManual,
  kScheduled,
  kBeforeMigration,
  kBeforeSchemaChange,
  kBeforeRestore,
  kBeforeRollback,
  kBeforeComplete,
};
// "manual" "scheduled" "before-migration" ...
const char* BackupReasonName(BackupReason reason);
Result<BackupReason> ParseBackupReason(std::string_view name);

// An id: [0-9A-Za-z_-]{1,64}.
bool IsValidBackupId(std::string_view id);

// One store's file.
struct BackupHalf {
  Role role = Role::kLegacy;
  std::string engine;  // "lmdb" "sqlite"
  bool is_compressed = false;
  std::uint64_t bytes = 0;  // of the file in the backup
  std::string sha256;       // of the same, 64 hexadecimal digits
  std::uint64_t raw_bytes =
      0;  // of the store's file that it unpacks to; the same when not compressed
  std::string raw_sha256;
  std::vector<CollectionDigest> collections;  // those with records, sorted by name

  // "legacy.mdb" or "unified.sqlite", with ".zst" when compressed.
  [[nodiscard]] std::string FileName() const;
};

struct BackupManifest {
  std::string id;
  BackupReason reason = BackupReason::kManual;
  std::string note;
  std::string actor;
  WallTime created_at{};  // whole seconds
  std::chrono::milliseconds duration{0};
  std::string software;  // version of the program that made it
  std::string log_id;
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;  // each half = fold(effects 1..sequence)
  std::uint64_t schema_version = 0;
  bool is_flag_enabled = false;  // USE_UNIFIED_DB_SERVICE as it was
  double flag_percentage = 0;
  std::vector<BackupHalf> halves;               // one a store in service, legacy first
  std::map<std::string, std::string> absences;  // role -> why it has no half
  std::vector<std::string> differences;         // collections in which the halves are not equal

  [[nodiscard]] const BackupHalf* half(Role role) const;
  [[nodiscard]] std::uint64_t bytes() const;    // of all halves, in the backup
  [[nodiscard]] std::uint64_t records() const;  // of one half
};

struct BackupState {
  bool is_pinned = false;
  // Seconds since 1970, 0 = never: when checksums were compared last, when everything was.
  std::int64_t checked_at = 0;
  std::int64_t verified_at = 0;
  std::string problem;  // what the newest verification found; "" = nothing
};

// For people and programs: the content of MANIFEST.json.
nlohmann::ordered_json ManifestJson(const BackupManifest& manifest);

// The text of the file. ParseManifest takes exactly what WriteManifest gives. Errors of Parse:
// kCorruption with what is wrong.
std::string WriteManifest(const BackupManifest& manifest);
Result<BackupManifest> ParseManifest(std::string_view text);
std::string WriteState(const BackupState& state);
Result<BackupState> ParseState(std::string_view text);

}  // namespace switchback
