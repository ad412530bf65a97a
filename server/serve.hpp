// The running server: a DbService with its doors. The only place that wires these objects together.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "flags/flag_watcher.hpp"
#include "migration/journal.hpp"
#include "migration/migrator.hpp"
#include "migration/schema/schema_runner.hpp"
#include "migration/schema/sql_queries.hpp"
#include "migration/verifier.hpp"
#include "rollback/backup_manager.hpp"
#include "rollback/rollout/rollout.hpp"
#include "server/access/file_poller.hpp"
#include "server/access/login_limiter.hpp"
#include "server/access/token_registry.hpp"
#include "server/config.hpp"
#include "server/endpoints.hpp"
#include "server/http/control_plane.hpp"
#include "server/http/event_feed.hpp"
#include "server/http/http_server.hpp"
#include "server/http/idempotency.hpp"
#include "server/notification_source.hpp"
#include "server/progress_watcher.hpp"
#include "server/resp/resp_server.hpp"
#include "server/safety.hpp"
#include "service/db_service.hpp"
#include "service/event_hub.hpp"

namespace switchback {

// Belongs to one thread.
class Server {
 public:
  // Opens the service, loads the flags, goes on with an interrupted migration, listens, and writes
  // endpoints.json. Ready on return. Errors: those of DbService::Open; kConflict for a port in use.
  // On error everything that was opened is closed again.
  static Result<std::unique_ptr<Server>> Start(const ServerConfig& config);
  ~Server();  // Stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Stops accepting, answers what is in flight for up to `drain_max` of the configuration, closes
  // the service. Fine more than once. Error: that of DbService::Close.
  Status Stop();

  [[nodiscard]] Endpoints endpoints() const;
  // What SIGHUP asks for: the flags file is read now. Tokens and certificates are looked at once a
  // second anyway.
  void ReadFilesAgain();
  [[nodiscard]] DbService& service() { return *service_; }

 private:
  explicit Server(const ServerConfig& config);
  Status OpenJournal();
  void StartNotifications();
  Status StartMigrator();
  void StartFlags();
  void StartRollout();
  void StartSchema();
  void MakeArchive(DbServiceOptions& service);
  void StartBackups();
  // kUnavailable: there are no backups.
  Result<BackupRequest> NewBackupRequest(BackupReason reason, const std::string& actor) const;
  Result<std::string> BeginBackup(const std::string& reason, const std::string& actor);
  void StartEvents(const ControlPlaneParts& parts);
  void StopEvents();
  Status StartTokens();
  Status StartTls();
  Status StartDoors();
  [[nodiscard]] ServerCounters Counters() const;

  const ServerConfig config_;
  const Clock& clock_;
  // Both doors ask these, so they outlive them.
  LoginLimiter logins_;
  std::unique_ptr<TlsContext> tls_;        // null: both ports are plain
  std::unique_ptr<TokenRegistry> tokens_;  // null: there are no named tokens
  EventHub events_;                        // outlives all who publish
  // Outlive the journal, which tells them of operations.
  std::unique_ptr<Notifier> notifier_;
  std::unique_ptr<NotificationSource> notifications_;
  // In the order of construction; destroyed in reverse, so that each outlives its users.
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<LogArchive> archive_;  // outlives what gives it files
  std::unique_ptr<DbService> service_;
  std::unique_ptr<FlagWatcher> watcher_;
  std::unique_ptr<Migrator> migrator_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<SchemaRunner> schema_;
  std::unique_ptr<SqlQueries> queries_;
  std::unique_ptr<BackupManager> backups_;
  std::unique_ptr<Safety> safety_;
  std::unique_ptr<ProgressWatcher> progress_;
  std::unique_ptr<EventFeed> event_feed_;
  std::unique_ptr<Rollout> rollout_;
  std::unique_ptr<IdempotencyBook> idempotency_;
  std::unique_ptr<ControlPlane> control_plane_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<RespServer> resp_;
  FilePoller poller_;  // stops before what it changes
  bool is_stopped_ = false;
};

// The whole life of `switchback serve`: runs until SIGTERM or SIGINT. Calls `on_ready` once clients
// are served. Returns the exit code and has logged the one line that says why when it is not 0.
int RunServer(const ServerConfig& config, const std::function<void(const Endpoints&)>& on_ready);

}  // namespace switchback
