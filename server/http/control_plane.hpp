// The HTTP control plane without its sockets: requests in, responses out. docs/protocol.md lists
// the routes.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "common/clock.hpp"
#include "flags/flag_watcher.hpp"
#include "migration/migrator.hpp"
#include "migration/schema/schema_runner.hpp"
#include "migration/schema/sql_queries.hpp"
#include "migration/verifier.hpp"
#include "rollback/backup_manager.hpp"
#include "rollback/rollout/rollout.hpp"
#include "server/http/access.hpp"
#include "server/http/http_server.hpp"
#include "server/http/message.hpp"
#include "server/http/records/record_handlers.hpp"
#include "server/http/router.hpp"
#include "server/http/server_counters.hpp"
#include "service/db_service.hpp"

namespace switchback {

class EventFeed;
class IdempotencyBook;
class Notifier;

// How long POST /v1/drain waits when the request does not say, and at most.
inline constexpr std::chrono::milliseconds kDrainWaitDefault{60'000};
inline constexpr std::chrono::milliseconds kDrainWaitMax{600'000};

class Safety;

// What the handlers speak to. All of it outlives the control plane.
struct ControlPlaneParts {
  DbService& service;
  FlagWatcher& watcher;
  Migrator& migrator;
  const Clock& clock;
  std::function<ServerCounters()> counters;  // thread-safe
  ServerIdentity identity;
  Verifier* verifier = nullptr;    // none: its routes say so
  SchemaRunner* schema = nullptr;  // null: no routes for the schema and for queries
  SqlQueries* queries = nullptr;
  BackupManager* backups = nullptr;  // none: its routes say so
  EventFeed* events = nullptr;       // none: its route says so
  Safety* safety = nullptr;          // null: no routes for guard and rollback
  Rollout* rollout = nullptr;        // none: its routes say so
  Notifier* notifier = nullptr;      // none: nobody is notified
  Journal* journal = nullptr;        // none: the routes of the history say so
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  IdempotencyBook* idempotency = nullptr;  // none: Idempotency-Key is not looked at
};

// Thread-safe.
class ControlPlane {
 public:
  ControlPlane(ControlPlaneParts parts, AccessOptions access);
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Answers any request; an error is a problem document. Blocks as long as the route needs: see
  // MayBlock.
  [[nodiscard]] HttpResponse Handle(const HttpRequest& request) const;

  // Whether Handle may wait for a disk or longer, so that it does not belong on an io thread.
  [[nodiscard]] bool MayBlock(const HttpRequest& request) const;

  // What is decided about a request by its header: who may send a large body, and where it is
  // handled. Quick.
  [[nodiscard]] HttpAdmission Admit(const HttpRequest& head) const;

  // From now on /readyz says that the server is stopping, so that load balancers look elsewhere.
  void BeginStop() { is_stopping_.store(true, std::memory_order_relaxed); }

  // Gives back what it holds of the service; before that is closed, and when nobody calls Handle
  // any more.
  void ReleaseSessions() { sessions_.Close(); }

  // The table of routes, for whoever checks a description of the interface against it.
  [[nodiscard]] const HttpRouter& router() const { return router_; }

 private:
  [[nodiscard]] std::optional<HttpResponse> CheckSafeMode(const Route& route) const;
  // The refusal, or nullopt and who asks. `route` null: there is none.
  [[nodiscard]] std::optional<HttpResponse> CheckAccess(const HttpRequest& request,
                                                        const Route* route,
                                                        Principal& principal) const;
  [[nodiscard]] HttpResponse Answer(const HttpRequest& request, const std::string& id) const;
  // Of a request that is let in.
  [[nodiscard]] HttpResponse Act(const HttpRequest& request, const HttpRouter::Match& match,
                                 const Principal& principal) const;

  const ControlPlaneParts parts_;
  SessionPool sessions_;
  const RecordParts records_;
  const AccessPolicy access_;
  std::atomic<bool> is_stopping_{false};
  const HttpRouter router_;
};

}  // namespace switchback
