#include "server/http/control_plane.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "common/log.hpp"
#include "flags/strict_json.hpp"
#include "server/http/actor.hpp"
#include "server/http/console_files.hpp"
#include "server/http/handlers.hpp"
#include "server/http/idempotency.hpp"
#include "server/http/openapi/openapi.hpp"
#include "server/http/problem.hpp"
#include "server/http/request_id.hpp"
#include "server/http/route_rules.hpp"
#include "server/safety.hpp"

namespace switchback {
namespace {

Route Open(Route route) {
  route.is_open = true;
  return route;
}
Route Blocking(Route route) {
  route.may_block = true;
  return route;
}

Route MigrationAction(const ControlPlaneParts& parts, const char* action) {
  return Blocking({"POST", std::string("/v1/migration/") + action,
                   [&parts, action](const HttpRequest& request, const PathParameters&) {
                     return HandleMigrationAction(parts, action, request.body);
                   }});
}

// The routes of the verifier.
void AddVerifyRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  routes.push_back(
      {"GET", "/v1/verify", [&](Request, Parameters) { return HandleVerifyGet(parts); }});
  routes.push_back(Blocking({"GET", "/v1/verify/differences", [&](Request request, Parameters) {
                               return HandleVerifyDifferences(parts, request.query);
                             }}));
  using Handler = HttpResponse (*)(const ControlPlaneParts&, const std::string&);
  const auto add_post = [&](const char* path, Handler handler) {
    routes.push_back(Blocking({"POST", path, [&parts, handler](Request request, Parameters) {
                                 return handler(parts, request.body);
                               }}));
  };
  add_post("/v1/verify/start", HandleVerifyStart);
  add_post("/v1/verify/cancel", HandleVerifyCancel);
  add_post("/v1/verify/rate", HandleVerifyRate);
}

void AddNotificationRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  routes.push_back(
      Blocking({"GET", "/v1/notifications", [&parts](const HttpRequest&, const PathParameters&) {
                  return HandleNotificationList(parts);
                }}));
  routes.push_back(Blocking({"POST", "/v1/notifications/test",
                             [&parts](const HttpRequest& request, const PathParameters&) {
                               return HandleNotificationTest(parts, request.body);
                             }}));
}

// The routes of the history and of what was kept at rollbacks.
void AddHistoryRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  const auto add = [&](const char* method, const char* path, Route::Handler handler) {
    routes.push_back(Blocking({method, path, std::move(handler)}));
  };
  add("GET", "/v1/history",
      [&](Request request, Parameters) { return HandleHistoryList(parts, request); });
  add("GET", "/v1/history/verify",
      [&](Request request, Parameters) { return HandleHistoryVerify(parts, request.query); });
  add("GET", "/v1/history/{id}",
      [&](Request, Parameters path) { return HandleHistoryShow(parts, path[0]); });
  add("POST", "/v1/history/{id}/notes", [&](Request request, Parameters path) {
    return HandleHistoryNote(parts, path[0], request.body);
  });
  add("GET", "/v1/evidence", [&](Request, Parameters) { return HandleEvidenceList(parts); });
  add("GET", "/v1/evidence/{name}",
      [&](Request, Parameters path) { return HandleEvidenceGet(parts, path[0]); });
}

// The routes of backups. Fixed names stand before {id}.
void AddBackupRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  const auto add = [&](const char* method, const char* path, Route::Handler handler) {
    routes.push_back(Blocking({method, path, std::move(handler)}));
  };
  add("GET", "/v1/backups",
      [&](Request request, Parameters) { return HandleBackupList(parts, request.query); });
  add("POST", "/v1/backups",
      [&](Request request, Parameters) { return HandleBackupCreate(parts, request.body); });
  add("GET", "/v1/backups/status", [&](Request, Parameters) { return HandleBackupStatus(parts); });
  add("POST", "/v1/backups/cancel",
      [&](Request request, Parameters) { return HandleBackupCancel(parts, request.body); });
  add("POST", "/v1/backups/prune",
      [&](Request request, Parameters) { return HandleBackupPrune(parts, request.body); });
  add("GET", "/v1/backups/{id}",
      [&](Request, Parameters path) { return HandleBackupShow(parts, path[0]); });
  add("DELETE", "/v1/backups/{id}", [&](Request request, Parameters path) {
    return HandleBackupDelete(parts, path[0], request.query, request.body);
  });
  add("POST", "/v1/backups/{id}/verify", [&](Request request, Parameters path) {
    return HandleBackupVerify(parts, path[0], request.body);
  });
  add("POST", "/v1/backups/{id}/restore", [&](Request request, Parameters path) {
    return HandleRestore(parts, path[0], request.body);
  });
  add("POST", "/v1/restore/undo",
      [&](Request request, Parameters) { return HandleRestore(parts, "", request.body, true); });
  add("POST", "/v1/restore",
      [&](Request request, Parameters) { return HandleRestore(parts, "", request.body); });
  for (const bool is_upload : {true, false}) {
    add("POST", is_upload ? "/v1/backups/{id}/upload" : "/v1/backups/{id}/download",
        [&parts, is_upload](Request request, Parameters path) {
          return HandleBackupMove(parts, path[0], is_upload, request.body);
        });
  }
  for (const bool is_pinned : {true, false}) {
    add("POST", is_pinned ? "/v1/backups/{id}/pin" : "/v1/backups/{id}/unpin",
        [&parts, is_pinned](Request request, Parameters path) {
          return HandleBackupPin(parts, path[0], is_pinned, request.body);
        });
  }
}

// The routes of guard and rollback.
void AddSafetyRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  const auto add_get = [&](const char* path, HttpResponse (*handle)(const ControlPlaneParts&)) {
    routes.push_back(
        Blocking({"GET", path, [&parts, handle](Request, Parameters) { return handle(parts); }}));
  };
  const auto add_post = [&](const char* path,
                            HttpResponse (*handle)(const ControlPlaneParts&, const std::string&)) {
    routes.push_back(Blocking({"POST", path, [&parts, handle](Request request, Parameters) {
                                 return handle(parts, request.body);
                               }}));
  };
  add_get("/v1/guard", HandleGuardGet);
  add_post("/v1/guard/rearm", HandleGuardRearm);
  for (const bool is_confirmed : {true, false}) {
    routes.push_back(Blocking({"POST", is_confirmed ? "/v1/guard/confirm" : "/v1/guard/dismiss",
                               [&parts, is_confirmed](Request request, Parameters) {
                                 return HandleProposal(parts, is_confirmed, request.body);
                               }}));
  }
  add_get("/v1/safe-mode", HandleSafeModeGet);
  add_post("/v1/safe-mode/leave", HandleSafeModeLeave);
  add_get("/v1/rollback", HandleRollbackGet);
  add_get("/v1/rollback/check", HandleRollbackCheck);
  add_post("/v1/rollback", HandleRollbackNow);
  add_post("/v1/rollback/validate", HandleRollbackValidate);
  add_get("/v1/metrics/comparison", HandleComparison);
}

// The routes of the rollout.
void AddRolloutRoutes(const ControlPlaneParts& parts, std::vector<Route>& routes) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  routes.push_back(
      {"GET", "/v1/rollout", [&](Request, Parameters) { return HandleRolloutGet(parts); }});
  routes.push_back(Blocking({"POST", "/v1/rollout/start", [&](Request request, Parameters) {
                               return HandleRolloutStart(parts, request.body);
                             }}));
  for (const char* action : {"pause", "resume", "promote", "abort"}) {
    routes.push_back(Blocking({"POST", std::string("/v1/rollout/") + action,
                               [&parts, action](Request request, Parameters) {
                                 return HandleRolloutAction(parts, action, request.body);
                               }}));
  }
}

// The console's files. Open: they hold nothing of this server's, and the page has to be there
// before it can ask for the token.
void AddConsoleRoutes(std::vector<Route>& routes) {
  for (const ConsoleFile& file : ConsoleFiles()) {
    routes.push_back(Open(
        {"GET", std::string(file.path), [&file](const HttpRequest& request, const PathParameters&) {
           return HandleConsoleFile(file, request);
         }}));
  }
}

// The routes of records. They have threads of their own and take bodies of any type.
void AddRecordRoutes(const ControlPlaneParts& parts, const RecordParts& records,
                     std::vector<Route>& routes) {
  using Handler = HttpResponse (*)(const RecordParts&, const HttpRequest&, const PathParameters&);
  const auto add = [&](const char* method, const char* path, std::size_t body_bytes_max,
                       Handler handler) {
    Route route =
        Blocking({method, path,
                  [&records, handler](const HttpRequest& request, const PathParameters& names) {
                    return handler(records, request, names);
                  }});
    route.is_record = true;
    route.body_bytes_max = body_bytes_max;
    routes.push_back(std::move(route));
  };
  constexpr const char* kRecord = "/v1/collections/{collection}/records/{key}";
  add("GET", "/v1/collections", 0,
      [](const RecordParts& all, const HttpRequest& request, const PathParameters&) {
        return HandleCollectionList(all, request);
      });
  add("GET", "/v1/collections/{collection}/records", 0, HandleRecordList);
  add("GET", kRecord, 0, HandleRecordGet);
  add("PUT", kRecord, parts.value_bytes_max, HandleRecordPut);
  add("DELETE", kRecord, 0, HandleRecordDelete);
  add("POST", "/v1/collections/{collection}/batch", kRecordBatchBytesMax, HandleRecordBatch);
}

// The routes of the flags, for people and for applications.
std::vector<Route> FlagRoutes(const ControlPlaneParts& parts) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  return {
      {"GET", "/v1/flags", [&](Request, Parameters) { return HandleFlagList(parts); }},
      {"GET", "/v1/flags/{name}",
       [&](Request, Parameters path) { return HandleFlagGet(parts, path[0]); }},
      {"GET", "/v1/flags/{name}/explain",
       [&](Request request, Parameters path) {
         return HandleFlagExplain(parts, path[0], request.query);
       }},
      // Many rules may take a while.
      Blocking({"POST", "/ofrep/v1/evaluate/flags",
                [&](Request request, Parameters) { return HandleOfrepFlags(parts, request); }}),
      {"POST", "/ofrep/v1/evaluate/flags/{key}",
       [&](Request request, Parameters path) {
         return HandleOfrepFlag(parts, path[0], request.body);
       }},
      Blocking({"PUT", "/v1/flags/{name}",
                [&](Request request, Parameters path) {
                  return HandleFlagPut(parts, path[0], request.body);
                }}),
  };
}

// The routes of the migration.
std::vector<Route> MigrationRoutes(const ControlPlaneParts& parts) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  return {
      {"GET", "/v1/migration", [&](Request, Parameters) { return HandleMigrationGet(parts); }},
      Blocking(
          {"POST", "/v1/migration/start",
           [&](Request request, Parameters) { return HandleMigrationStart(parts, request.body); }}),
      MigrationAction(parts, "pause"),
      MigrationAction(parts, "resume"),
      MigrationAction(parts, "cancel"),
      MigrationAction(parts, "abandon"),
      Blocking({"GET", "/v1/migration/invalid",
                [&](Request request, Parameters) {
                  return HandleMigrationInvalid(parts, request.query);
                }}),
      Blocking({"POST", "/v1/migration/complete",
                [&](Request request, Parameters) {
                  return HandleMigrationComplete(parts, request.body);
                }}),
      Blocking({"POST", "/v1/migration/settings",
                [&](Request request, Parameters) {
                  return HandleMigrationSettings(parts, request.body);
                }}),
      Blocking(
          {"POST", "/v1/legacy/accept",
           [&](Request request, Parameters) { return HandleAcceptLegacy(parts, request.body); }}),
  };
}

// The routes of the schema and of queries.
std::vector<Route> SchemaRoutes(const ControlPlaneParts& parts) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  return {
      Blocking({"GET", "/v1/schema", [&](Request, Parameters) { return HandleSchemaGet(parts); }}),
      Blocking({"POST", "/v1/schema/up",
                [&](Request request, Parameters) { return HandleSchemaUp(parts, request.body); }}),
      Blocking(
          {"POST", "/v1/schema/down",
           [&](Request request, Parameters) { return HandleSchemaDown(parts, request.body); }}),
      Blocking({"POST", "/v1/schema/to",
                [&](Request request, Parameters) { return HandleSchemaTo(parts, request.body); }}),
      Blocking(
          {"POST", "/v1/schema/validate",
           [&](Request request, Parameters) { return HandleSchemaValidate(parts, request.body); }}),
      Blocking({"POST", "/v1/query",
                [&](Request request, Parameters) { return HandleQuery(parts, request); }}),
  };
}

// Every route there is. `parts` and `is_stopping` are those of the control plane itself.
std::vector<Route> Routes(const ControlPlaneParts& parts, const RecordParts& records,
                          const std::atomic<bool>& is_stopping) {
  using Request = const HttpRequest&;
  using Parameters = const PathParameters&;
  std::vector<Route> routes{
      Open({"GET", "/healthz", [](Request, Parameters) { return HandleHealth(); }}),
      Open({"GET", "/readyz",
            [&](Request, Parameters) { return HandleReady(parts, is_stopping.load()); }}),
      Open({"GET", "/openapi.json", [](Request, Parameters) { return HandleOpenApi(); }}),
      {"GET", "/metrics", [&](Request, Parameters) { return HandleMetrics(parts); }},
      {"GET", "/v1/status", [&](Request, Parameters) { return HandleStatus(parts); }},
      Blocking({"GET", "/v1/events",
                [&](Request request, Parameters) { return HandleEvents(parts, request); }}),
      Blocking({"POST", "/v1/drain",
                [&](Request request, Parameters) {
                  return HandleDrain(parts, is_stopping, request.body);
                }}),
  };
  routes.push_back(
      {.method = "GET", .pattern = "/v1/whoami", .handler = {}, .is_about_caller = true});
  for (auto* more : {&FlagRoutes, &MigrationRoutes, &SchemaRoutes}) {
    for (Route& route : more(parts)) routes.push_back(std::move(route));
  }
  AddVerifyRoutes(parts, routes);
  AddNotificationRoutes(parts, routes);
  AddBackupRoutes(parts, routes);
  if (parts.safety != nullptr) AddSafetyRoutes(parts, routes);
  AddRolloutRoutes(parts, routes);
  AddHistoryRoutes(parts, routes);
  AddConsoleRoutes(routes);
  AddRecordRoutes(parts, records, routes);
  ApplyRouteRules(routes);
  return routes;
}

}  // namespace

ControlPlane::ControlPlane(ControlPlaneParts parts, AccessOptions access)
    : parts_(std::move(parts)),
      sessions_(parts_.service),
      records_{parts_.service, sessions_},
      access_(std::move(access)),
      router_(Routes(parts_, records_, is_stopping_)) {}

std::optional<HttpResponse> ControlPlane::CheckAccess(const HttpRequest& request,
                                                      const Route* route,
                                                      Principal& principal) const {
  if (auto refusal = access_.CheckHost(request)) return refusal;
  if (auto refusal = access_.CheckOrigin(request)) return refusal;
  if (route != nullptr && route->is_open) return std::nullopt;
  auto found = access_.Authenticate(request);
  if (auto* refusal = std::get_if<HttpResponse>(&found)) return std::move(*refusal);
  principal = std::get<Principal>(std::move(found));
  if (route == nullptr || MayAct(principal.role, route->role)) return std::nullopt;
  return ProblemResponse(403, "forbidden",
                         std::string("this needs the role ") + AccessRoleName(route->role) +
                             "; the token " + principal.name + " has the role " +
                             AccessRoleName(principal.role));
}

// What writes, or moves data on its own account, has to wait until somebody has looked. Going back
// does not: it is how one gets out.
std::optional<HttpResponse> ControlPlane::CheckSafeMode(const Route& route) const {
  constexpr std::array<std::string_view, 9> kHeld{
      "/v1/migration/start", "/v1/migration/resume", "/v1/migration/complete",
      "/v1/schema/up",       "/v1/schema/down",      "/v1/schema/to",
      "/v1/rollout/start",   "/v1/rollout/resume",   "/v1/rollout/promote"};
  if (parts_.safety == nullptr || route.method != "POST" ||
      std::find(kHeld.begin(), kHeld.end(), route.pattern) == kHeld.end())
    return std::nullopt;
  const auto engaged = parts_.safety->safe_mode().Current();
  if (!engaged) return std::nullopt;
  return ProblemResponse(409, "safe-mode",
                         "safe mode is on: " + engaged->reason +
                             ". `switchback rollback safe-mode` lists the choices");
}

HttpResponse ControlPlane::Handle(const HttpRequest& request) const {
  const std::string id = RequestIdOf(request);
  HttpResponse response = Answer(request, id);
  AddRequestId(response, id);
  return response;
}

HttpResponse ControlPlane::Answer(const HttpRequest& request, const std::string& id) const {
  const HttpRouter::Found found = router_.Find(request.method, request.path);
  const auto* match = std::get_if<HttpRouter::Match>(&found);
  // Access first: without the token nobody learns which paths there are.
  Principal principal;
  if (auto refusal = CheckAccess(request, match == nullptr ? nullptr : match->route, principal))
    return *std::move(refusal);
  if (const auto* wrong = std::get_if<HttpRouter::WrongMethod>(&found)) {
    auto response = ProblemResponse(405, "method-not-allowed",
                                    "this path answers to " + wrong->allow + " only");
    response.headers.emplace_back("Allow", wrong->allow);
    return response;
  }
  if (match == nullptr) return ProblemResponse(404, "no-route", "there is nothing at this path");
  // Of a record's body any type is welcome; the batch is a document like all others.
  const bool is_document = !match->route->is_record || request.method == "POST";
  if (is_document) {
    if (auto refusal = AccessPolicy::CheckContentType(request)) return *std::move(refusal);
  }
  if (auto refusal = CheckSafeMode(*match->route)) return *std::move(refusal);
  HttpResponse response = Act(request, *match, principal);
  if (request.method != "GET" && request.method != "HEAD" && !match->route->is_record &&
      !match->route->is_question)
    LogInfo("http: {} {} by {}: {} [request {}]", request.method, Printable(request.path),
            principal.name.empty() ? "somebody" : principal.name, response.status, id);
  return response;
}

HttpResponse ControlPlane::Act(const HttpRequest& request, const HttpRouter::Match& match,
                               const Principal& principal) const {
  const Route& route = *match.route;
  if (route.is_about_caller) return HandleWhoAmI(principal, router_.routes());
  const bool may_repeat = route.is_idempotent && parts_.idempotency != nullptr &&
                          request.headers.contains("idempotency-key");
  const auto act = [&](const HttpRequest& asked) {
    if (!may_repeat) return route.handler(asked, match.parameters);
    return parts_.idempotency->Run(principal.name, asked,
                                   [&] { return route.handler(asked, match.parameters); });
  };
  if (!route.has_actor || principal.name.empty()) return act(request);
  auto body = BodyWithActor(request.body, principal.name);
  if (!body) return ProblemResponse(body.error());
  HttpRequest named = request;
  named.body = *std::move(body);
  return act(named);
}

HttpAdmission ControlPlane::Admit(const HttpRequest& head) const {
  const HttpRouter::Found found = router_.Find(head.method, head.path);
  const auto* match = std::get_if<HttpRouter::Match>(&found);
  if (match == nullptr) return {};
  HttpAdmission admission;
  admission.body_bytes_max = match->route->body_bytes_max;
  admission.is_record = match->route->is_record;
  admission.refuse = [this, head, route = match->route] {
    Principal principal;
    auto refusal = CheckAccess(head, route, principal);
    if (refusal) AddRequestId(*refusal, RequestIdOf(head));
    return refusal;
  };
  return admission;
}

bool ControlPlane::MayBlock(const HttpRequest& request) const {
  const HttpRouter::Found found = router_.Find(request.method, request.path);
  const auto* match = std::get_if<HttpRouter::Match>(&found);
  return match != nullptr && match->route->may_block;
}

}  // namespace switchback
