#include "server/http/event_json.hpp"

#include <nlohmann/json.hpp>

#include "server/http/backup_json.hpp"
#include "server/http/status_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Json Optional(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

bool IsUnderWay(const MigrationStatus& status) {
  return status.state == "running" || status.state == "rolling-back" ||
         status.state == "completing";
}

void AddMigrationFigures(const MigrationStatus& status, Json& data) {
  data["percent"] = status.percent;
  data["records_done"] = status.records_done;
  data["records_total"] = status.records_total;
  data["bytes_done"] = status.bytes_done;
  data["records_per_second"] = status.records_per_second;
  data["eta_seconds"] = Optional(status.eta_seconds);
  data["lag_batches"] = status.lag_batches;
  data["current_collection"] = status.current_collection;
  if (!status.rollback) return;
  data["rollback"] = {{"stage", status.rollback->stage},
                      {"step", status.rollback->step},
                      {"percent", status.rollback->percent},
                      {"eta_seconds", Optional(status.rollback->eta_seconds)}};
}

}  // namespace

Json MigrationEventJson(const MigrationStatus& status) {
  Json data{{"state", status.state},
            {"phase", status.phase},
            {"target", status.target},
            {"operation_id", status.operation}};
  if (IsUnderWay(status)) AddMigrationFigures(status, data);
  data["error"] = status.error;
  data["waiting"] = status.waiting;
  data["last_result"] = status.last_result;
  data["can_flip"] = status.can_flip;
  data["can_complete"] = status.can_complete;
  return data;
}

Json VerifyEventJson(const VerifyStatus& status) {
  Json data{{"state", status.state},
            {"started_at", status.started_at},
            {"ended_at", status.ended_at},
            {"continuous", status.options.is_continuous},
            {"passes", status.passes},
            {"last_pass", status.last_pass},
            {"percent", status.percent},
            {"records_compared", status.records_compared},
            {"records_total", status.records_total},
            {"bytes_compared", status.bytes_compared}};
  data["eta_seconds"] = Optional(status.eta_seconds);
  data["differences"] = status.differences();
  data["repaired"] = status.repaired;
  data["waiting"] = status.waiting;
  data["error"] = status.error;
  return data;
}

Json FlagsEventJson(const RoutingStatus& routing, const std::string& warning) {
  Json data = RoutingJson(routing);
  data["warning"] = warning;
  return data;
}

Json FollowerEventJson(Role role, const FollowerStatus& follower) {
  return {{"role", RoleName(role)},
          {"state", FollowerStateName(follower.state)},
          {"reason", follower.reason},
          {"engine", follower.engine},
          {"path", follower.path}};
}

Json ServerEventJson(const ServiceStatus& status) {
  return {{"state", "serving"},
          {"stage", status.stage},
          {"generation", status.generation},
          {"epoch", status.epoch},
          {"is_log_failed", status.is_log_failed},
          {"log_error", status.log_error},
          {"write_hold_reason", status.write_hold_reason}};
}

Json OperationEventJson(const OperationRecord& operation) {
  Json data{{"id", operation.id},
            {"kind", operation.kind},
            {"actor", operation.actor},
            {"reason", operation.reason},
            {"status", operation.status},
            {"started_at", operation.started_at},
            {"ended_at", operation.ended_at}};
  if (!operation.steps.empty()) {
    const OperationStep& step = operation.steps.front();
    data["step"] = {{"name", step.name}, {"status", step.status}, {"detail", step.detail}};
  }
  const Json detail = Json::parse(operation.detail, nullptr, false);
  data["detail"] = detail.is_object() ? detail : Json::object();
  return data;
}

std::vector<Json> BackupEventsJson(const BackupOperation& operation, std::size_t first_stage) {
  std::vector<Json> events;
  const auto& stages = operation.progress.stages;
  Json present = BackupOperationJson(operation);
  present["operation_id"] = operation.journal_id;
  // The newest stage is the present one, unless the operation has ended since.
  const std::size_t passed = stages.size() - (operation.is_running && !stages.empty() ? 1 : 0);
  for (std::size_t index = first_stage; index < passed; ++index) {
    events.push_back({{"state", "running"},
                      {"operation", operation.kind},
                      {"id", operation.id},
                      {"actor", operation.actor},
                      {"stage", stages[index]},
                      {"operation_id", operation.journal_id}});
  }
  events.push_back(std::move(present));
  return events;
}

}  // namespace switchback
