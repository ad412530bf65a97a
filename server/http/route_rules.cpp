#include "server/http/route_rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace switchback {
namespace {

enum Kind : unsigned {
  kPlain = 0,
  kActs = 1,  // its body may name the actor
  kOnce = 2,  // it begins or destroys something: honours Idempotency-Key
  kActsOnce = 3,
  kAsks = 4,  // a POST that changes nothing
};

struct RouteRule {
  std::string_view method, pattern;
  AccessRole role;
  Kind kind;
};

// Everything that only reads is a viewer's. An admin's is what takes data away for good or changes
// its form; what can be undone, and the way back above all, is an operator's.
constexpr std::array kRules = std::to_array<RouteRule>({
    {"GET", "/metrics", AccessRole::kViewer, kPlain},
    {"GET", "/v1/status", AccessRole::kViewer, kPlain},
    {"GET", "/v1/events", AccessRole::kViewer, kPlain},
    {"GET", "/v1/whoami", AccessRole::kViewer, kPlain},
    {"GET", "/v1/metrics/comparison", AccessRole::kViewer, kPlain},
    {"GET", "/v1/flags", AccessRole::kViewer, kPlain},
    {"GET", "/v1/flags/{name}", AccessRole::kViewer, kPlain},
    {"GET", "/v1/flags/{name}/explain", AccessRole::kViewer, kPlain},
    {"POST", "/ofrep/v1/evaluate/flags", AccessRole::kViewer, kAsks},
    {"POST", "/ofrep/v1/evaluate/flags/{key}", AccessRole::kViewer, kAsks},
    {"PUT", "/v1/flags/{name}", AccessRole::kOperator, kActs},
    {"GET", "/v1/migration", AccessRole::kViewer, kPlain},
    {"POST", "/v1/migration/start", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/migration/pause", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/migration/resume", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/migration/cancel", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/migration/abandon", AccessRole::kOperator, kActsOnce},
    {"GET", "/v1/migration/invalid", AccessRole::kViewer, kPlain},
    {"POST", "/v1/migration/complete", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/migration/settings", AccessRole::kOperator, kActs},
    {"POST", "/v1/legacy/accept", AccessRole::kAdmin, kOnce},
    {"POST", "/v1/drain", AccessRole::kOperator, kPlain},
    {"GET", "/v1/verify", AccessRole::kViewer, kPlain},
    {"POST", "/v1/verify/start", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/verify/cancel", AccessRole::kOperator, kActs},
    {"POST", "/v1/verify/rate", AccessRole::kOperator, kPlain},
    {"GET", "/v1/verify/differences", AccessRole::kViewer, kPlain},
    {"GET", "/v1/notifications", AccessRole::kViewer, kPlain},
    {"POST", "/v1/notifications/test", AccessRole::kOperator, kPlain},
    {"GET", "/v1/backups", AccessRole::kViewer, kPlain},
    {"POST", "/v1/backups", AccessRole::kOperator, kActsOnce},
    {"GET", "/v1/backups/status", AccessRole::kViewer, kPlain},
    {"POST", "/v1/backups/cancel", AccessRole::kOperator, kActs},
    {"POST", "/v1/backups/prune", AccessRole::kAdmin, kActsOnce},
    {"GET", "/v1/backups/{id}", AccessRole::kViewer, kPlain},
    {"DELETE", "/v1/backups/{id}", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/backups/{id}/verify", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/backups/{id}/restore", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/restore/undo", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/restore", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/backups/{id}/upload", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/backups/{id}/download", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/backups/{id}/pin", AccessRole::kOperator, kActs},
    {"POST", "/v1/backups/{id}/unpin", AccessRole::kAdmin, kActs},
    {"GET", "/v1/guard", AccessRole::kViewer, kPlain},
    {"POST", "/v1/guard/rearm", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/guard/confirm", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/guard/dismiss", AccessRole::kOperator, kActsOnce},
    {"GET", "/v1/safe-mode", AccessRole::kViewer, kPlain},
    {"POST", "/v1/safe-mode/leave", AccessRole::kAdmin, kActsOnce},
    {"GET", "/v1/rollback", AccessRole::kViewer, kPlain},
    {"GET", "/v1/rollback/check", AccessRole::kViewer, kPlain},
    {"POST", "/v1/rollback", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/rollback/validate", AccessRole::kOperator, kActs},
    {"GET", "/v1/rollout", AccessRole::kViewer, kPlain},
    {"POST", "/v1/rollout/start", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/rollout/pause", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/rollout/resume", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/rollout/promote", AccessRole::kOperator, kActsOnce},
    {"POST", "/v1/rollout/abort", AccessRole::kOperator, kActsOnce},
    {"GET", "/v1/history", AccessRole::kViewer, kPlain},
    {"GET", "/v1/history/verify", AccessRole::kViewer, kPlain},
    {"GET", "/v1/history/{id}", AccessRole::kViewer, kPlain},
    {"POST", "/v1/history/{id}/notes", AccessRole::kOperator, kActsOnce},
    {"GET", "/v1/evidence", AccessRole::kViewer, kPlain},
    {"GET", "/v1/evidence/{name}", AccessRole::kOperator, kPlain},
    {"GET", "/v1/schema", AccessRole::kViewer, kPlain},
    {"POST", "/v1/schema/up", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/schema/down", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/schema/to", AccessRole::kAdmin, kActsOnce},
    {"POST", "/v1/schema/validate", AccessRole::kOperator, kActs},
    {"POST", "/v1/query", AccessRole::kViewer, kAsks},
    {"GET", "/v1/collections", AccessRole::kViewer, kPlain},
    {"GET", "/v1/collections/{collection}/records", AccessRole::kViewer, kPlain},
    {"GET", "/v1/collections/{collection}/records/{key}", AccessRole::kViewer, kPlain},
    {"PUT", "/v1/collections/{collection}/records/{key}", AccessRole::kOperator, kPlain},
    {"DELETE", "/v1/collections/{collection}/records/{key}", AccessRole::kOperator, kPlain},
    {"POST", "/v1/collections/{collection}/batch", AccessRole::kOperator, kOnce},
});

}  // namespace

void ApplyRouteRules(std::vector<Route>& routes) {
  for (Route& route : routes) {
    const auto rule = std::find_if(kRules.begin(), kRules.end(), [&](const RouteRule& one) {
      return one.method == route.method && one.pattern == route.pattern;
    });
    if (rule == kRules.end()) continue;
    route.role = rule->role;
    route.has_actor = (rule->kind & kActs) != 0;
    route.is_idempotent = (rule->kind & kOnce) != 0;
    route.is_question = (rule->kind & kAsks) != 0;
  }
}

}  // namespace switchback
