#include <nlohmann/json.hpp>

#include "migration/journal.hpp"
#include "server/http/backup_json.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

Result<std::optional<Role>> ParseFrom(const Json& document) {
  std::string name;
  SB_RETURN_IF_ERROR(TakeText(document, "from", name));
  if (name.empty()) return std::optional<Role>{};
  for (const Role role : kRoles) {
    if (name == RoleName(role)) return std::optional<Role>(role);
  }
  return Fail(ErrorCode::kInvalidArgument, "body: \"from\" must be \"legacy\" or \"unified\"");
}

Status ParseMoment(const Json& document, RestoreRequest& request) {
  if (document.contains("to_sequence")) {
    if (!document["to_sequence"].is_number_unsigned())
      return Fail(ErrorCode::kInvalidArgument, "body: \"to_sequence\" must be a whole number");
    request.to_sequence = document["to_sequence"].get<std::uint64_t>();
  }
  std::string time;
  SB_RETURN_IF_ERROR(TakeText(document, "to_time", time));
  if (!time.empty()) {
    request.to_time = ParseUtc(time);
    if (!request.to_time)
      return Fail(ErrorCode::kInvalidArgument,
                  "body: \"to_time\" must be a time in UTC like 2026-01-31T12:00:00Z");
  }
  if (request.to_sequence && request.to_time)
    return Fail(ErrorCode::kInvalidArgument, "body: either \"to_sequence\" or \"to_time\"");
  return {};
}

}  // namespace

HttpResponse HandleRestore(const ControlPlaneParts& parts, const std::string& id,
                           const std::string& body, bool is_undo) {
  if (parts.backups == nullptr)
    return ProblemResponse(503, "unavailable", "this server was started without backups");
  auto document = ParseBody(body, {"actor", "reason", "from", "foreign", "no_safety_backup",
                                   "dry_run", "confirm", "to_sequence", "to_time"});
  if (!document) return ProblemResponse(document.error());
  RestoreRequest request;
  request.id = id;
  request.actor = "http";
  bool is_dry_run = false;
  bool is_confirmed = false;
  Status taken = TakeText(*document, "actor", request.actor);
  if (taken) taken = TakeText(*document, "reason", request.reason);
  if (taken) taken = TakeFlag(*document, "foreign", request.is_foreign_allowed);
  if (taken) taken = TakeFlag(*document, "no_safety_backup", request.is_without_safety_backup);
  if (taken) taken = TakeFlag(*document, "dry_run", is_dry_run);
  if (taken) taken = TakeFlag(*document, "confirm", is_confirmed);
  if (!taken) return ProblemResponse(taken.error());
  if (!is_undo) {
    if (auto parsed = ParseMoment(*document, request); !parsed)
      return ProblemResponse(parsed.error());
    if (request.is_undo())
      return ProblemResponse(400, "invalid-argument",
                             "body: \"to_sequence\" or \"to_time\" is missing");
  }
  const auto from = ParseFrom(*document);
  if (!from) return ProblemResponse(from.error());
  request.from = *from;
  if (is_dry_run || !is_confirmed) {
    const auto plan = parts.backups->PlanRestore(request);
    if (!plan) return ProblemResponse(plan.error());
    if (is_dry_run) return JsonResponse(RestorePlanJson(*plan), 200);
    return ProblemResponse(409, "refused",
                           "what was written since is not there afterwards: look at the plan with "
                           "{\"dry_run\": true}, then say {\"confirm\": true}");
  }
  if (auto begun = parts.backups->BeginRestore(request); !begun)
    return ProblemResponse(begun.error());
  return JsonResponse(BackupOperationJson(parts.backups->Operation()), 202);
}

}  // namespace switchback
