#include <nlohmann/json.hpp>

#include "rollback/notify/notifier.hpp"
#include "server/http/handlers.hpp"
#include "server/http/json_text.hpp"
#include "server/http/metrics_page.hpp"
#include "server/http/problem.hpp"
#include "server/http/status_json.hpp"
#include "server/safety.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> ReasonsNotReady(const ServiceStatus& status, bool is_stopping) {
  std::vector<std::string> reasons;
  if (is_stopping) reasons.emplace_back("the server is stopping");
  if (status.is_log_failed)
    reasons.push_back("writes are refused: the commit log failed: " + status.log_error);
  bool can_read = false;
  for (const FollowerStatus& follower : status.followers)
    can_read = can_read || follower.state == FollowerState::kInSync;
  if (can_read) return reasons;
  for (const Role role : kRoles) {
    const FollowerStatus& follower = status.followers[Index(role)];
    reasons.push_back(std::string("reads cannot be served: ") + RoleName(role) + " is " +
                      FollowerStateName(follower.state) +
                      (follower.reason.empty() ? "" : ": " + follower.reason));
  }
  return reasons;
}

}  // namespace

HttpResponse HandleHealth() {
  HttpResponse response;
  response.body = JsonText(Json{{"status", "alive"}, {"version", kVersion}});
  return response;
}

HttpResponse HandleReady(const ControlPlaneParts& parts, bool is_stopping) {
  const auto reasons = ReasonsNotReady(parts.service.GetStatus(), is_stopping);
  if (!reasons.empty())
    return ProblemResponse(503, "not-ready", "the service cannot serve everything now", "reasons",
                           reasons);
  HttpResponse response;
  response.body = JsonText(Json{{"status", "ready"}});
  return response;
}

HttpResponse HandleMetrics(const ControlPlaneParts& parts) {
  HttpResponse response;
  response.content_type = kMetricsContentType;
  response.body = RenderMetrics(
      {parts.service.GetStatus(), parts.service.GetMetrics(), parts.counters(), ReadProcessStats(),
       parts.verifier ? parts.verifier->GetStatus() : VerifyStatus(), parts.migrator.GetStatus(),
       parts.rollout ? parts.rollout->GetStatus() : RolloutStatus(),
       parts.safety ? parts.safety->guard().GetStatus() : GuardStatus(),
       parts.notifier ? parts.notifier->GetStatus() : std::vector<SinkStatus>()});
  return response;
}

HttpResponse HandleStatus(const ControlPlaneParts& parts) {
  const ServerCounters counters = parts.counters();
  const auto uptime = parts.clock.Now() - parts.identity.started_at;
  Json document{{"version", kVersion},
                {"data_dir", parts.identity.data_dir},
                {"uptime_seconds", std::chrono::duration<double>(uptime).count()}};
  document.update(ServiceStatusJson(parts.service.GetStatus()));
  document["operations"] = OperationsJson(parts.service.GetMetrics());
  document["flags"] =
      FlagStateJson(*parts.service.flags().Current(), counters.flag_reload_failures);
  document["flags"]["file"] = parts.identity.flags_path;
  document["migration"] = MigrationJson(parts.migrator.GetStatus());
  document["server"] = ServerCountersJson(counters);
  document["process"] = ProcessJson(ReadProcessStats());
  HttpResponse response;
  response.body = JsonText(document);
  return response;
}

}  // namespace switchback
