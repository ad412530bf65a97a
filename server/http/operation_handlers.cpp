#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log.hpp"
#include "server/http/body.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_text.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kDrainSlice{500};

Result<std::chrono::milliseconds> ParseWait(const std::string& body) {
  auto document = ParseBody(body, {"wait_ms_max"});
  if (!document) return Fail(document.error());
  if (!document->contains("wait_ms_max")) return kDrainWaitDefault;
  const Json& wait = (*document)["wait_ms_max"];
  if (!wait.is_number_unsigned() ||
      wait.get<std::uint64_t>() > static_cast<std::uint64_t>(kDrainWaitMax.count()))
    return Fail(ErrorCode::kInvalidArgument, "body: \"wait_ms_max\" must be a whole number up to " +
                                                 std::to_string(kDrainWaitMax.count()));
  return std::chrono::milliseconds(wait.get<std::uint64_t>());
}

// Drains in slices, so that a server that is asked to stop need not wait for a drain that waits for
// a store that hangs.
Status DrainUnlessStopping(const ControlPlaneParts& parts, const std::atomic<bool>& is_stopping,
                           std::chrono::milliseconds wait_max) {
  const SteadyTime deadline = parts.clock.Now() + wait_max;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - parts.clock.Now());
    auto drained = parts.service.Drain(std::clamp(left, std::chrono::milliseconds(0), kDrainSlice));
    if (drained || drained.error().code != ErrorCode::kBusy || left <= kDrainSlice) return drained;
    if (is_stopping.load()) return Fail(ErrorCode::kCancelled, "the server is stopping");
  }
}

}  // namespace

HttpResponse HandleDrain(const ControlPlaneParts& parts, const std::atomic<bool>& is_stopping,
                         const std::string& body) {
  const auto wait_max = ParseWait(body);
  if (!wait_max) return ProblemResponse(wait_max.error());
  if (auto drained = DrainUnlessStopping(parts, is_stopping, *wait_max); !drained)
    return ProblemResponse(drained.error());
  const ServiceStatus status = parts.service.GetStatus();
  Json document{{"drained", true}, {"last_sequence", status.last_sequence}};
  for (const Role role : kRoles) {
    const FollowerStatus& follower = status.followers[Index(role)];
    document["followers"][RoleName(role)] = {{"state", FollowerStateName(follower.state)},
                                             {"path", follower.path},
                                             {"applied_sequence", follower.applied_sequence},
                                             {"durable_sequence", follower.durable_sequence}};
  }
  HttpResponse response;
  response.body = JsonText(document);
  return response;
}

HttpResponse HandleAcceptLegacy(const ControlPlaneParts& parts, const std::string& body) {
  if (auto document = ParseBody(body, {}); !document) return ProblemResponse(document.error());
  if (auto accepted = parts.service.AcceptForeignLegacy(); !accepted)
    return ProblemResponse(accepted.error());
  LogWarning("the legacy store is used as another process left it, on the operator's word");
  HttpResponse response;
  response.body = JsonText(Json{{"accepted", true}});
  return response;
}

}  // namespace switchback
