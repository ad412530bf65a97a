#include "server/http/backup_json.hpp"

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json TimeOrNull(std::int64_t seconds) {
  if (seconds == 0) return nullptr;
  return FormatUtc(WallTime(std::chrono::seconds(seconds)));
}

}  // namespace

Json BackupJson(const BackupEntry& entry, WallTime now) {
  Json json{{"id", entry.id}, {"state", entry.damage.empty() ? "ok" : "damaged"}};
  if (!entry.damage.empty()) json["damage"] = entry.damage;
  if (entry.manifest) {
    const BackupManifest& manifest = *entry.manifest;
    Json roles = Json::array();
    for (const BackupHalf& half : manifest.halves) roles.push_back(RoleName(half.role));
    json["created_at"] = FormatUtc(manifest.created_at);
    json["age_seconds"] =
        std::chrono::duration_cast<std::chrono::seconds>(now - manifest.created_at).count();
    json["reason"] = BackupReasonName(manifest.reason);
    json["note"] = manifest.note;
    json["epoch"] = manifest.epoch;
    json["sequence"] = manifest.sequence;
    json["roles"] = std::move(roles);
    json["records"] = manifest.records();
    json["bytes"] = manifest.bytes();
    json["duration_ms"] = manifest.duration.count();
  }
  json["pinned"] = entry.state.is_pinned;
  json["verified"] = entry.is_verified();
  json["verified_at"] = TimeOrNull(entry.state.verified_at);
  json["checked_at"] = TimeOrNull(entry.state.checked_at);
  if (!entry.state.problem.empty()) json["problem"] = entry.state.problem;
  return json;
}

Json BackupDetailJson(const BackupEntry& entry, WallTime now) {
  Json json = BackupJson(entry, now);
  json["manifest"] = entry.manifest ? ManifestJson(*entry.manifest) : Json();
  return json;
}

Json BackupListJson(const std::vector<BackupEntry>& entries, const std::string& directory,
                    WallTime now) {
  Json list = Json::array();
  std::uint64_t bytes = 0;
  Json newest;
  Json oldest;
  for (const BackupEntry& entry : entries) {
    list.push_back(BackupJson(entry, now));
    if (!entry.manifest) continue;
    bytes += entry.manifest->bytes();
    if (newest.is_null()) newest = list.back()["age_seconds"];
    oldest = list.back()["age_seconds"];
  }
  return {{"directory", directory},
          {"count", entries.size()},
          {"bytes", bytes},
          {"newest_age_seconds", std::move(newest)},
          {"oldest_age_seconds", std::move(oldest)},
          {"backups", std::move(list)}};
}

Json RemoteBackupListJson(const RemoteBackups& remote, WallTime now) {
  std::vector<BackupEntry> entries;
  for (const RemoteBackup& backup : remote.backups)
    entries.push_back({backup.id, backup.manifest, {}, false, backup.damage});
  Json json = BackupListJson(entries, remote.target, now);
  for (Json& backup : json["backups"]) {  // what is known here, and not there
    for (const char* name : {"pinned", "verified", "verified_at", "checked_at"}) backup.erase(name);
  }
  return json;
}

Json BackupVerdictJson(const BackupVerdict& verdict) {
  return {{"ok", verdict.is_ok()}, {"full", verdict.is_full}, {"problems", verdict.problems}};
}

Json BackupOperationJson(const std::optional<BackupOperation>& operation) {
  if (!operation) return {{"state", "none"}};
  const BackupProgressStatus& progress = operation->progress;
  Json json{{"state", operation->is_running ? "running"
                      : operation->error    ? "failed"
                                            : "done"},
            {"operation", operation->kind},
            {"id", operation->id},
            {"actor", operation->actor},
            {"stage", progress.stage},
            {"percent", progress.percent},
            {"bytes_done", progress.bytes_done},
            {"bytes_total", progress.bytes_total},
            {"eta_seconds", nullptr}};
  if (progress.eta_seconds) json["eta_seconds"] = *progress.eta_seconds;
  if (operation->error) {
    json["error"] = operation->error->message;
    json["error_code"] = ErrorCodeName(operation->error->code);
  }
  if (operation->verdict) json["verdict"] = BackupVerdictJson(*operation->verdict);
  return json;
}

Json RestorePlanJson(const RestorePlan& plan) {
  Json json{{"id", plan.id},
            {"generation", plan.generation},
            {"epoch", plan.epoch},
            {"sequence", plan.sequence},
            {"until", plan.until},
            {"epoch_now", plan.epoch_now},
            {"sequence_now", plan.sequence_now},
            {"batches_lost", plan.batches_lost}};
  json["created_at"] = plan.created_at ? Json(FormatUtc(*plan.created_at)) : Json();
  json["bytes_needed"] = plan.bytes_needed;
  json["bytes_free"] = plan.bytes_free;
  json["steps"] = plan.steps;
  json["warnings"] = plan.warnings;
  return json;
}

Json RetentionJson(const std::vector<RetentionVerdict>& verdicts, bool is_dry_run) {
  Json list = Json::array();
  std::size_t count = 0;
  for (const RetentionVerdict& verdict : verdicts) {
    list.push_back({{"id", verdict.id}, {"goes", verdict.goes}, {"why", verdict.why}});
    if (verdict.goes) ++count;
  }
  return {{"dry_run", is_dry_run}, {"deleted", count}, {"backups", std::move(list)}};
}

}  // namespace switchback
