#include "migration/migration_record.hpp"

#include <nlohmann/json.hpp>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json Optional(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

// Takes the member if it is there and fits; else leaves the default.
template <class T>
void Take(const Json& json, const char* name, T& member) {
  const auto found = json.find(name);
  if (found == json.end()) return;
  if constexpr (std::is_same_v<T, bool>) {
    if (found->is_boolean()) member = found->template get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    if (found->is_number_integer()) member = found->template get<T>();
  } else {
    if (found->is_string()) member = found->template get<std::string>();
  }
}

void Take(const Json& json, const char* name, std::optional<double>& member) {
  const auto found = json.find(name);
  if (found != json.end() && found->is_number()) member = found->get<double>();
}

void Take(const Json& json, const char* name, std::vector<std::string>& member) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_array()) return;
  for (const Json& text : *found) {
    if (text.is_string()) member.push_back(text.get<std::string>());
  }
}

bool TakePhase(const std::string& name, MigrationPhase& phase) {
  for (const MigrationPhaseRule& rule : kMigrationPhases) {
    if (name != rule.name) continue;
    phase = rule.phase;
    return true;
  }
  return false;
}

bool TakeRole(const std::string& name, Role& role) {
  for (const Role one : kRoles) {
    if (name != RoleName(one)) continue;
    role = one;
    return true;
  }
  return false;
}

}  // namespace

std::string MigrationRecordToJson(const MigrationRecord& record) {
  Json json{{"phase", MigrationPhaseName(record.phase)},
            {"target", RoleName(record.target)},
            {"collections", record.collections},
            {"operation", record.operation},
            {"actor", record.actor},
            {"reason", record.reason},
            {"started_at", record.started_at},
            {"active_seconds", record.active_seconds}};
  json["settings"] = Json::parse(MigrationSettingsToJson(record.settings));
  json["read_p99_before_us"] = Optional(record.read_p99_before_us);
  json["write_p99_before_us"] = Optional(record.write_p99_before_us);
  json["backup"] = record.backup;
  json["is_backed_up"] = record.is_backed_up;
  json["note"] = record.note;
  json["verify"] = {{"outcome", record.verify.outcome},
                    {"at", record.verify.at},
                    {"sequence", record.verify.sequence},
                    {"records", record.verify.records},
                    {"differences", record.verify.differences}};
  json["is_unified_unverified"] = record.is_unified_unverified;
  json["is_unverified_allowed"] = record.is_unverified_allowed;
  json["rollback_operation"] = record.rollback_operation;
  json["rollback_trigger"] = record.rollback_trigger;
  json["rollback_reason"] = record.rollback_reason;
  json["rollback_actor"] = record.rollback_actor;
  json["locked_reason"] = record.locked_reason;
  json["last_result"] = record.last_result;
  json["kept_legacy"] = record.kept_legacy;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<MigrationRecord> ParseMigrationRecord(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  MigrationRecord record;
  std::string phase, target;
  if (json.is_object()) {
    Take(json, "phase", phase);
    Take(json, "target", target);
  }
  if (!TakePhase(phase, record.phase) || !TakeRole(target, record.target))
    return Fail(ErrorCode::kCorruption, "the journal's record of the migration is not readable");
  Take(json, "collections", record.collections);
  Take(json, "operation", record.operation);
  Take(json, "actor", record.actor);
  Take(json, "reason", record.reason);
  Take(json, "started_at", record.started_at);
  Take(json, "active_seconds", record.active_seconds);
  SB_RETURN_IF_ERROR(
      ChangeMigrationSettings(json.value("settings", Json::object()).dump(), record.settings));
  Take(json, "read_p99_before_us", record.read_p99_before_us);
  Take(json, "write_p99_before_us", record.write_p99_before_us);
  record.is_backed_up = true;  // in the records of a version that made none
  Take(json, "backup", record.backup);
  Take(json, "is_backed_up", record.is_backed_up);
  Take(json, "note", record.note);
  const Json verify = json.value("verify", Json::object());
  Take(verify, "outcome", record.verify.outcome);
  Take(verify, "at", record.verify.at);
  Take(verify, "sequence", record.verify.sequence);
  Take(verify, "records", record.verify.records);
  Take(verify, "differences", record.verify.differences);
  Take(json, "is_unified_unverified", record.is_unified_unverified);
  Take(json, "is_unverified_allowed", record.is_unverified_allowed);
  Take(json, "rollback_operation", record.rollback_operation);
  Take(json, "rollback_trigger", record.rollback_trigger);
  Take(json, "rollback_reason", record.rollback_reason);
  Take(json, "rollback_actor", record.rollback_actor);
  Take(json, "locked_reason", record.locked_reason);
  Take(json, "last_result", record.last_result);
  Take(json, "kept_legacy", record.kept_legacy);
  return record;
}

}  // namespace switchback
