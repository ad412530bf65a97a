#include <cmath>
#include <nlohmann/json.hpp>

#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_response.hpp"
#include "server/http/problem.hpp"
#include "server/http/rollout_json.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse AnswerStatus(const ControlPlaneParts& parts, unsigned status = 200) {
  return JsonResponse(RolloutJson(parts.rollout->GetStatus(), parts.service.GetStatus().routing),
                      status);
}

HttpResponse NoRollouts() {
  return ProblemResponse(503, "unavailable",
                         "this server cannot roll out by itself: its log says why; use "
                         "`switchback flags set`");
}

Status TakeSteps(const Json& document, std::vector<double>& percentages) {
  const Json steps = document.value("steps", Json());
  if (!steps.is_array())
    return Fail(ErrorCode::kInvalidArgument,
                "body: \"steps\" must be an array of percentages, such as [1, 5, 25, 50, 100]");
  for (const Json& step : steps) {
    if (!step.is_number())
      return Fail(ErrorCode::kInvalidArgument, "body: \"steps\" must be an array of percentages");
    percentages.push_back(step.get<double>());
  }
  return {};
}

Status TakeInterval(const Json& document, std::chrono::milliseconds& interval) {
  if (!document.contains("interval_seconds")) return {};
  constexpr double kSecondsMax = 1e9;  // more than is allowed, and no overflow
  const Json& seconds = document["interval_seconds"];
  if (!seconds.is_number() || !(std::abs(seconds.get<double>()) <= kSecondsMax))
    return Fail(ErrorCode::kInvalidArgument, "body: \"interval_seconds\" must be a number");
  interval = std::chrono::milliseconds(std::llround(seconds.get<double>() * 1000));
  return {};
}

Status TakeOperations(const Json& document, std::uint64_t& operations_min) {
  if (!document.contains("operations_min")) return {};
  if (!document["operations_min"].is_number_unsigned())
    return Fail(ErrorCode::kInvalidArgument, "body: \"operations_min\" must be a whole number");
  operations_min = document["operations_min"].get<std::uint64_t>();
  return {};
}

struct StartBody {
  RolloutRequest request;
  bool is_dry_run = false;
};

Result<StartBody> ParseStart(const std::string& body) {
  auto document = ParseBody(
      body, {"steps", "interval_seconds", "operations_min", "dry_run", "actor", "reason"});
  if (!document) return Fail(document.error());
  StartBody start;
  SB_RETURN_IF_ERROR(TakeSteps(*document, start.request.percentages));
  SB_RETURN_IF_ERROR(TakeInterval(*document, start.request.interval));
  SB_RETURN_IF_ERROR(TakeOperations(*document, start.request.operations_min));
  SB_RETURN_IF_ERROR(TakeFlag(*document, "dry_run", start.is_dry_run));
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", start.request.actor));
  SB_RETURN_IF_ERROR(TakeText(*document, "reason", start.request.reason));
  return start;
}

Status Run(Rollout& rollout, const std::string& action, const std::string& body) {
  const bool is_abort = action == "abort";
  auto document = ParseBody(body, {"actor", "reason", is_abort ? "to_zero" : "actor"});
  if (!document) return Fail(document.error());
  std::string actor = "http";
  std::string reason;
  bool is_to_zero = false;
  SB_RETURN_IF_ERROR(TakeText(*document, "actor", actor));
  SB_RETURN_IF_ERROR(TakeText(*document, "reason", reason));
  SB_RETURN_IF_ERROR(TakeFlag(*document, "to_zero", is_to_zero));
  if (action == "pause") return rollout.Pause(actor);
  if (action == "resume") return rollout.Resume(actor);
  if (action == "promote") return rollout.Promote(actor);
  return rollout.Abort(actor, reason, is_to_zero);
}

}  // namespace

HttpResponse HandleRolloutGet(const ControlPlaneParts& parts) {
  return parts.rollout == nullptr ? NoRollouts() : AnswerStatus(parts);
}

HttpResponse HandleRolloutStart(const ControlPlaneParts& parts, const std::string& body) {
  if (parts.rollout == nullptr) return NoRollouts();
  const auto start = ParseStart(body);
  if (!start) return ProblemResponse(start.error());
  if (start->is_dry_run) {
    const auto plan = parts.rollout->Plan(start->request);
    return plan ? JsonResponse(RolloutPlanJson(*plan, parts.clock.WallNow()))
                : ProblemResponse(plan.error());
  }
  if (auto begun = parts.rollout->Begin(start->request); !begun)
    return ProblemResponse(begun.error());
  return AnswerStatus(parts, 202);
}

HttpResponse HandleRolloutAction(const ControlPlaneParts& parts, const std::string& action,
                                 const std::string& body) {
  if (parts.rollout == nullptr) return NoRollouts();
  if (auto done = Run(*parts.rollout, action, body); !done) return ProblemResponse(done.error());
  return AnswerStatus(parts);
}

}  // namespace switchback
