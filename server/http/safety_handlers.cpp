#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "rollback/guard/guard_json.hpp"
#include "rollback/guard/guard_settings_json.hpp"
#include "rollback/metrics_json.hpp"
#include "rollback/rollback_json.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/safety.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kRollbackWaitMaxMs = 60'000;

struct Asked {
  std::string actor = "http";
  std::string reason;
};

Result<Asked> ParseAsked(const Json& document) {
  Asked asked;
  SB_RETURN_IF_ERROR(TakeText(document, "actor", asked.actor));
  SB_RETURN_IF_ERROR(TakeText(document, "reason", asked.reason));
  return asked;
}

// A whole number up to `most`, `otherwise` when it is absent.
Result<std::uint64_t> TakeNumber(const Json& document, const char* name, std::uint64_t most,
                                 std::uint64_t otherwise) {
  if (!document.contains(name)) return otherwise;
  const Json& value = document[name];
  if (value.is_number_unsigned() && value.get<std::uint64_t>() <= most)
    return value.get<std::uint64_t>();
  return Fail(
      ErrorCode::kInvalidArgument,
      std::string("body: \"") + name + "\" must be a whole number up to " + std::to_string(most));
}

Json RollbackJson(Safety& safety) {
  const auto status = safety.rollbacks().GetStatus();
  return {{"check", RollbackCheckJson(safety.rollbacks().Check())},
          {"operation", status ? RollbackStatusJson(*status) : Json()}};
}

}  // namespace

HttpResponse HandleGuardGet(const ControlPlaneParts& parts) {
  Json json = GuardStatusJson(parts.safety->guard().GetStatus());
  json["settings"] = GuardSettingsJson(parts.safety->guard().settings());
  return JsonResponse(json);
}

HttpResponse HandleGuardRearm(const ControlPlaneParts& parts, const std::string& body) {
  const auto document = ParseBody(body, {"trip", "actor", "reason"});
  if (!document) return ProblemResponse(document.error());
  const auto asked = ParseAsked(*document);
  if (!asked) return ProblemResponse(asked.error());
  const auto trip = TakeNumber(*document, "trip", UINT64_MAX, 0);
  if (!trip) return ProblemResponse(trip.error());
  if (auto rearmed = parts.safety->guard().Rearm(*trip); !rearmed)
    return ProblemResponse(rearmed.error());
  parts.safety->Audit(asked->actor, "guard-rearm",
                      "trip " + std::to_string(*trip) + ": " + asked->reason);
  return HandleGuardGet(parts);
}

HttpResponse HandleProposal(const ControlPlaneParts& parts, bool is_confirmed,
                            const std::string& body) {
  const auto document = ParseBody(body, {"proposal", "actor", "reason"});
  if (!document) return ProblemResponse(document.error());
  const auto asked = ParseAsked(*document);
  if (!asked) return ProblemResponse(asked.error());
  const auto proposal = TakeNumber(*document, "proposal", UINT64_MAX, 0);
  if (!proposal) return ProblemResponse(proposal.error());
  Guard& guard = parts.safety->guard();
  const Status done = is_confirmed ? guard.Confirm(*proposal) : guard.Dismiss(*proposal);
  if (!done && done.error().code == ErrorCode::kNotFound) return ProblemResponse(done.error());
  parts.safety->Audit(asked->actor, is_confirmed ? "guard-confirm" : "guard-dismiss",
                      "proposal " + std::to_string(*proposal) + ": " + asked->reason);
  return done ? HandleGuardGet(parts) : ProblemResponse(done.error());
}

HttpResponse HandleSafeModeGet(const ControlPlaneParts& parts) {
  const auto engaged = parts.safety->safe_mode().Current();
  return JsonResponse({{"engaged", engaged ? LatchedJson(*engaged) : Json()},
                       {"write_hold_reason", parts.service.GetStatus().write_hold_reason}});
}

HttpResponse HandleSafeModeLeave(const ControlPlaneParts& parts, const std::string& body) {
  const auto document = ParseBody(body, {"id", "actor", "reason"});
  if (!document) return ProblemResponse(document.error());
  const auto asked = ParseAsked(*document);
  if (!asked) return ProblemResponse(asked.error());
  const auto id = TakeNumber(*document, "id", UINT64_MAX, 0);
  if (!id) return ProblemResponse(id.error());
  if (auto left = parts.safety->LeaveSafeMode(*id, asked->actor, asked->reason); !left)
    return ProblemResponse(left.error());
  return HandleSafeModeGet(parts);
}

HttpResponse HandleRollbackGet(const ControlPlaneParts& parts) {
  return JsonResponse(RollbackJson(*parts.safety));
}

HttpResponse HandleRollbackCheck(const ControlPlaneParts& parts) {
  Json json = RollbackCheckJson(parts.safety->rollbacks().Check());
  if (parts.backups != nullptr) {
    const auto entries = parts.backups->directory().List();
    json["newest_verified_backup"] = Json();
    for (std::size_t i = 0; entries && i < entries->size(); ++i) {
      if (!(*entries)[i].is_verified()) continue;
      json["newest_verified_backup"] = (*entries)[i].id;
      break;
    }
  }
  return JsonResponse(json);
}

HttpResponse HandleRollbackNow(const ControlPlaneParts& parts, const std::string& body) {
  const auto document = ParseBody(body, {"actor", "reason", "wait_ms"});
  if (!document) return ProblemResponse(document.error());
  const auto asked = ParseAsked(*document);
  if (!asked) return ProblemResponse(asked.error());
  const auto wait = TakeNumber(*document, "wait_ms", kRollbackWaitMaxMs, 0);
  if (!wait) return ProblemResponse(wait.error());
  const auto answer = parts.safety->rollbacks().RollBack(asked->actor, asked->reason,
                                                         std::chrono::milliseconds(*wait));
  if (!answer) return ProblemResponse(answer.error());
  return JsonResponse({{"rolled_back", true},
                       {"effective_at", FormatUtc(answer->effective_at)},
                       {"percentage_before", answer->percentage_before},
                       {"percentage_after", 0},
                       {"latched", LatchedJson(answer->latched)}},
                      202);
}

HttpResponse HandleRollbackValidate(const ControlPlaneParts& parts, const std::string& body) {
  const auto document = ParseBody(body, {"actor", "reason"});
  if (!document) return ProblemResponse(document.error());
  const auto asked = ParseAsked(*document);
  if (!asked) return ProblemResponse(asked.error());
  parts.safety->rollbacks().Validate(asked->actor);
  parts.safety->rollbacks().Flush();
  return JsonResponse(RollbackJson(*parts.safety));
}

HttpResponse HandleComparison(const ControlPlaneParts& parts) {
  Json json = ComparisonJson(parts.service, parts.safety->history());
  json["guard"] = GuardStatusJson(parts.safety->guard().GetStatus());
  return JsonResponse(json);
}

}  // namespace switchback
