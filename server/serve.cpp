#include "server/serve.hpp"

#include <unistd.h>

#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "server/errors.hpp"
#include "server/flag_judge.hpp"
#include "server/http/event_json.hpp"
#include "server/http/event_sources.hpp"
#include "server/http/idempotency.hpp"
#include "server/process.hpp"
#include "server/version.hpp"
#include "server/watchdog/liveness.hpp"
#include "server/watchdog/watchdog.hpp"

namespace switchback {
namespace {

HttpServerOptions HttpOptions(const ServerConfig& config) {
  HttpServerOptions options;
  options.bind_address = config.bind_address;
  options.port = config.http_port;
  options.unix_socket = config.http_unix_socket;
  options.unix_socket_mode = config.unix_socket_mode;
  return options;
}

RespServerOptions RespOptions(const ServerConfig& config) {
  RespServerOptions options;
  options.bind_address = config.bind_address;
  options.port = config.port;
  options.threads = config.threads;
  options.password = config.password;
  options.unix_socket = config.unix_socket;
  options.unix_socket_mode = config.unix_socket_mode;
  options.clients_max = config.clients_max;
  if (config.output_bytes_max != 0) options.output_bytes_max = config.output_bytes_max;
  options.value_bytes_max = config.service.value_bytes_max;
  options.numbered_collections = config.numbered_collections;
  return options;
}

ServerConfig WithAddress(ServerConfig config) {
  if (config.bind_address == "localhost") config.bind_address = "127.0.0.1";
  return config;
}

}  // namespace

Server::Server(const ServerConfig& config)
    : config_(WithAddress(config)),
      clock_(*config.service.clock),
      logins_(clock_),
      events_(clock_) {}

Server::~Server() {
  if (auto stopped = Stop(); !stopped) LogError("stop: {}", stopped.error().message);
}

Result<std::unique_ptr<Server>> Server::Start(const ServerConfig& config) {
  std::unique_ptr<Server> server(new Server(config));
  DbServiceOptions options = server->config_.service;
  server->MakeArchive(options);
  auto service = DbService::Open(std::move(options));
  if (!service) return Fail(service.error());
  server->service_ = *std::move(service);
  if (server->archive_ != nullptr) {
    if (auto started = server->archive_->Start(); !started)
      LogError("the log's past is not archived: {}", started.error().message);
  }
  // Only now that the directory is surely ours: before, it could have been a running server's.
  RemoveEndpoints(server->config_.service.data_dir);
  SB_RETURN_IF_ERROR(server->OpenJournal());
  server->StartSchema();
  server->StartBackups();
  SB_RETURN_IF_ERROR(server->StartMigrator());
  server->StartFlags();
  server->StartRollout();
  SB_RETURN_IF_ERROR(server->StartDoors());
  SB_RETURN_IF_ERROR(WriteEndpoints(server->config_.service.data_dir, server->endpoints()));
  return server;
}

void Server::MakeArchive(DbServiceOptions& service) {
  if (config_.log_archive.window.count() == 0) return;
  LogArchiveOptions options = config_.log_archive;
  options.staging = config_.service.data_dir + "/log-closed";
  options.directory = config_.LogArchivePath();
  archive_ = std::make_unique<LogArchive>(std::move(options), clock_);
  service.take_log_file = [this](const std::string& path) { archive_->Take(path); };
}

Status Server::OpenJournal() {
  auto journal = Journal::Open(config_.service.data_dir + "/control.sqlite", clock_);
  if (!journal) return Fail(journal.error());
  journal_ = *std::move(journal);
  StartNotifications();
  return {};
}

// Right after the journal, so that the end of what a crash has interrupted is told, too.
void Server::StartNotifications() {
  NotifierOptions options;
  options.path = config_.service.data_dir + "/notifications.sqlite";
  options.source = HostName() + ":" + config_.service.data_dir;
  options.retry = config_.notification_retry;
  std::vector<NotifierSink> sinks;
  for (const SinkSettings& sink : config_.notifications)
    sinks.push_back({sink.name, NotificationFilter(sink.events), MakeSink(sink)});
  notifier_ = std::make_unique<Notifier>(std::move(options), std::move(sinks), clock_);
  notifications_ = std::make_unique<NotificationSource>(*notifier_);
  notifier_->Start();
  journal_->SetListener(
      [this](const OperationRecord& operation) { notifications_->OnOperation(operation); });
}

// Before the flags, whose flips the migrator may have to refuse.
Status Server::StartMigrator() {
  verifier_ = std::make_unique<Verifier>(*service_, *journal_, clock_);
  MigratorOptions options;
  options.settings = config_.migration;
  options.rules = config_.validation;
  options.is_unverified_allowed = config_.is_unverified_allowed;
  options.begin_backup = [this](const std::string& reason, const std::string& actor) {
    return BeginBackup(reason, actor);
  };
  options.is_backup_done = [this](const std::string& id) -> Result<bool> {
    if (backups_ == nullptr) return Fail(ErrorCode::kUnavailable, "there are no backups");
    return backups_->IsDone(id);
  };
  options.start_verify = [this](const std::string& actor) { return verifier_->Start({}, actor); };
  auto migrator = Migrator::Open(*service_, *journal_, clock_, std::move(options));
  if (!migrator) return Fail(migrator.error());
  migrator_ = *std::move(migrator);
  verifier_->SetOnEnd([this](const VerifyStatus& verify) {
    notifications_->OnVerifyEnd(verify);
    // A continuous one goes on; what counts is its pass. One of some collections says nothing about
    // the others.
    const std::string& outcome = verify.state == "running" ? verify.last_pass : verify.state;
    const bool is_finished =
        verify.options.collections.empty() && (outcome == "clean" || outcome == "differences");
    migrator_->OnVerifyEnd(
        {is_finished, verify.sequence, verify.records_compared, verify.differences()});
  });
  service_->SetFlipGate([this] { return migrator_->MayFlip(); });
  // What cannot go on must not keep the data from being served.
  if (auto resumed = migrator_->ResumeIfInterrupted(); !resumed)
    LogWarning("go on with the interrupted migration: {}", resumed.error().message);
  if (auto resumed = verifier_->ResumeIfInterrupted(); !resumed)
    LogWarning("go on with the interrupted verify: {}", resumed.error().message);
  migrator_->StartThread();
  return {};
}

Result<BackupRequest> Server::NewBackupRequest(BackupReason reason,
                                               const std::string& actor) const {
  if (backups_ == nullptr)
    return Fail(ErrorCode::kUnavailable, "this server was started without backups");
  BackupRequest request = backups_->NewRequest();
  request.reason = reason;
  request.actor = actor;
  return request;
}

Result<std::string> Server::BeginBackup(const std::string& reason, const std::string& actor) {
  const auto parsed = ParseBackupReason(reason);
  if (!parsed) return Fail(parsed.error());
  auto request = NewBackupRequest(*parsed, actor);
  if (!request) return Fail(request.error());
  return backups_->Create(*std::move(request));
}

void Server::StartFlags() {
  safety_ = std::make_unique<Safety>(
      SafetyParts{*service_, *journal_, events_, *notifications_, *verifier_, clock_},
      SafetyOptions{config_.service.data_dir, config_.FlagsPath(), config_.guard});
  auto judge = std::make_shared<FlagJudge>(*service_);
  watcher_ = std::make_unique<FlagWatcher>(
      config_.FlagsPath(), service_->flags(),
      [this, judge](const std::shared_ptr<const FlagSnapshot>& snapshot) {
        judge->OnLoad(*snapshot);
        safety_->OnFlags(*snapshot);
      },
      clock_);
  watcher_->Start();
  safety_->Start(*watcher_);
}

// What it cannot read must not keep the data from being served.
void Server::StartRollout() {
  auto rollout = Rollout::Open({*service_, *journal_, clock_, config_.FlagsPath(),
                                [this] { return watcher_->ReloadNow(); },
                                [this] { return safety_->guard().GetStatus(); }});
  if (!rollout) {
    LogError("there will be no rollouts: {}", rollout.error().message);
    return;
  }
  rollout_ = *std::move(rollout);
  rollout_->Start();
}

void Server::StartSchema() {
  SchemaRunnerOptions options;
  options.directory = config_.SchemaDirectory();
  options.copies_directory = config_.service.data_dir + "/schema-copies";
  options.copy_count_max = config_.schema_copies_max;
  options.time_max = config_.schema_time_max;
  options.backup_before = [this](const std::string& actor) -> Status {
    auto request = NewBackupRequest(BackupReason::kBeforeSchemaChange, actor);
    if (!request) return Fail(request.error());
    auto made = backups_->CreateAndWait(*std::move(request));
    return made ? Status{} : Status(Fail(made.error()));
  };
  schema_ = std::make_unique<SchemaRunner>(*service_, *journal_, clock_, std::move(options));
  schema_->CloseInterrupted();
  queries_ = std::make_unique<SqlQueries>(*service_);
}

// A directory of backups that is out of reach must not keep the data from being served.
void Server::StartBackups() {
  BackupManagerOptions options = config_.backups;
  options.directory = config_.BackupDirectoryPath();
  options.software = kVersion;
  if (!config_.backup_target.location.empty()) {
    options.open_target = [target = config_.backup_target, backups = options.directory] {
      return OpenBackupTarget(target, backups);
    };
    // It may be away for now: then each attempt says so.
    if (auto target = options.open_target(); !target)
      LogWarning("backup target: {}", target.error().message);
  }
  options.restore.archive = archive_.get();
  options.restore.schema_version_max = [this] {
    std::uint64_t newest = 0;
    if (const auto status = schema_->GetStatus(); status) {
      for (const auto& version : status->versions) newest = std::max(newest, version.version);
    }
    return newest;
  };
  auto backups = BackupManager::Open(*service_, *journal_, clock_, std::move(options));
  if (backups) {
    backups_ = *std::move(backups);
  } else {
    LogError("there will be no backups: {}", backups.error().message);
  }
}

void Server::StartEvents(const ControlPlaneParts& parts) {
  progress_ = std::make_unique<ProgressWatcher>(events_, EventSources(parts));
  progress_->Start();
  event_feed_ = std::make_unique<EventFeed>(events_, *progress_, clock_);
  journal_->SetListener([this](const OperationRecord& operation) {
    notifications_->OnOperation(operation);
    safety_->OnOperation(operation);
    events_.Publish("operation", OperationEventJson(operation));
    if (operation.steps.empty()) progress_->Poke();
  });
}

void Server::StopEvents() {
  if (event_feed_) event_feed_->Stop();
  // Ends of operations are still told of.
  if (notifier_) notifier_->CancelTests();
  if (notifications_) {
    journal_->SetListener([this](const OperationRecord& operation) {
      notifications_->OnOperation(operation);
      if (safety_) safety_->OnOperation(operation);
    });
  }
  if (progress_) progress_->Stop();
}

// Watched before it is read, so that no change falls between.
Status Server::StartTokens() {
  if (config_.tokens_file.empty()) return {};
  tokens_ = std::make_unique<TokenRegistry>();
  const auto load = [this]() -> Status {
    auto tokens = LoadTokenFile(config_.tokens_file);
    if (!tokens) return Fail(tokens.error());
    LogInfo("{} named tokens are in force", tokens->size());
    tokens_->Replace(*std::move(tokens));
    return {};
  };
  poller_.Watch({config_.tokens_file}, [load] {
    if (auto loaded = load(); !loaded)
      LogWarning("the tokens of before stay in force: {}", loaded.error().message);
  });
  return load();
}

Status Server::StartTls() {
  if (!config_.tls.is_on()) {
    if (!IsLoopbackAddress(config_.bind_address))
      LogWarning(
          "{} can be reached by others and speaks no TLS: what passes can be read on the way",
          config_.bind_address);
    return {};
  }
  tls_ = std::make_unique<TlsContext>(config_.tls);
  poller_.Watch(config_.tls.Files(), [this] {
    if (auto loaded = tls_->Load(); loaded) {
      LogInfo("tls: new connections are shown the new certificate");
    } else {
      LogWarning("tls: the certificate of before stays in use: {}", loaded.error().message);
    }
  });
  return tls_->Load();
}

Status Server::StartDoors() {
  SB_RETURN_IF_ERROR(StartTokens());
  SB_RETURN_IF_ERROR(StartTls());
  const ServerIdentity identity{config_.service.data_dir, config_.FlagsPath(), clock_.Now()};
  ControlPlaneParts parts{
      *service_, *watcher_,       *migrator_,    clock_,         [this] { return Counters(); },
      identity,  verifier_.get(), schema_.get(), queries_.get(), backups_.get()};
  StartEvents(parts);
  parts.events = event_feed_.get();
  parts.safety = safety_.get();
  parts.rollout = rollout_.get();
  parts.notifier = notifier_.get();
  parts.journal = journal_.get();
  parts.value_bytes_max = config_.service.value_bytes_max;
  idempotency_ = std::make_unique<IdempotencyBook>(*journal_, clock_);
  parts.idempotency = idempotency_.get();
  control_plane_ = std::make_unique<ControlPlane>(
      std::move(parts), AccessOptions{config_.bind_address, config_.allowed_hosts, config_.token,
                                      tokens_.get(), &logins_});
  HttpServerOptions http = HttpOptions(config_);
  http.tls = tls_.get();
  http_ = std::make_unique<HttpServer>(
      HttpDispatch{[this](const HttpRequest& request) { return control_plane_->Handle(request); },
                   [this](const HttpRequest& request) { return control_plane_->MayBlock(request); },
                   [this](const HttpRequest& request) { return control_plane_->Admit(request); }},
      std::move(http));
  RespServerOptions resp = RespOptions(config_);
  resp.tokens = tokens_.get();
  resp.logins = &logins_;
  resp.tls = tls_.get();
  resp_ = std::make_unique<RespServer>(*service_, std::move(resp));
  SB_RETURN_IF_ERROR(resp_->Start());
  poller_.Start();
  // Last, because its handlers look at everything above.
  return http_->Start();
}

ServerCounters Server::Counters() const {
  ServerCounters counters;
  counters.flag_reload_failures = watcher_->reload_failures();
  counters.http = http_->counters();
  const RespServerStats resp = resp_->Stats();
  counters.resp.connections = resp.connections;
  counters.resp.connections_total = resp.connections_total;
  counters.resp.rejected = resp.rejected;
  counters.resp.requests = resp.commands;
  counters.resp.bytes_in = resp.bytes_in;
  counters.resp.bytes_out = resp.bytes_out;
  counters.resp.slow_clients_closed = resp.slow_clients_closed;
  counters.resp.protocol_errors = resp.protocol_errors;
  return counters;
}

void Server::ReadFilesAgain() {
  LogInfo(
      "SIGHUP: the flags are read again; tokens and certificates are, by themselves, when they "
      "change");
  if (auto read = watcher_->ReloadNow(); !read) LogWarning("flags: {}", read.error().message);
}

Endpoints Server::endpoints() const {
  return {ReachableHost(config_.bind_address),
          resp_->port(),
          http_->port(),
          ::getpid(),
          std::string(kVersion),
          config_.FlagsPath(),
          config_.tls.is_on(),
          config_.unix_socket,
          config_.http_unix_socket};
}

Status Server::Stop() {
  if (is_stopped_) return {};
  is_stopped_ = true;
  if (control_plane_) control_plane_->BeginStop();
  StopEvents();  // first, so that whoever watches hears of it at once
  if (schema_) schema_->Stop();
  if (rollout_) rollout_->Stop();
  if (migrator_) migrator_->Stop();  // before what it would take for a failed backup
  if (backups_) backups_->Stop();
  if (queries_) queries_->Stop();
  poller_.Stop();
  if (resp_) resp_->Stop(config_.drain_max);
  if (http_) http_->Stop(config_.drain_max);
  if (control_plane_) control_plane_->ReleaseSessions();
  if (safety_) safety_->Stop();
  if (watcher_) watcher_->Stop();
  if (verifier_) verifier_->Stop();
  if (!service_) return {};
  // From here on nobody is answered; the file would send commands to closed ports.
  RemoveEndpoints(config_.service.data_dir);
  const Status closed = service_->Close();
  if (archive_) archive_->Stop();
  if (notifier_) notifier_->Stop();
  return closed;
}

namespace {

// Null: no service manager asks for it.
std::unique_ptr<Watchdog> StartWatchdog(DbService& service, const Endpoints& endpoints) {
  const auto period = WatchdogPeriod();
  if (!period) return nullptr;
  const auto pipeline = std::make_shared<PipelineProbe>(service);
  const auto door = [host = endpoints.host](std::uint16_t port, const char* request) {
    return [host, port, request](std::chrono::milliseconds wait_max) {
      return DoorAnswers(host, port, request, wait_max);
    };
  };
  std::vector<WatchdogProbe> probes;
  probes.push_back({"the write pipeline", [pipeline](std::chrono::milliseconds wait_max) {
                      return pipeline->Answers(wait_max);
                    }});
  probes.push_back({"the RESP port", door(endpoints.resp_port, "PING\r\n")});
  probes.push_back({"the HTTP port", door(endpoints.http_port,
                                          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                                          "Connection: close\r\n\r\n")});
  auto watchdog = std::make_unique<Watchdog>(std::move(probes), *period,
                                             [] { NotifyServiceManager("WATCHDOG=1"); });
  watchdog->Start();
  return watchdog;
}

}  // namespace

int RunServer(const ServerConfig& config, const std::function<void(const Endpoints&)>& on_ready) {
  SetLogLevel(config.log_level);
  SetLogFormat(config.log_format);
  const auto fail = [](const Error& error) {
    LogError("{}", error.message);
    return ExitCode(error.code);
  };
  if (auto set = SetFailpointsFromEnvironment(); !set) return fail(set.error());
  StopSignal stop(StopSignal::Hangup::kIsHandled);
  RaiseFileLimit();
  auto server = Server::Start(config);
  if (!server) {
    // A wrong argument found this late was not a matter of the command's form.
    const int code = fail(server.error());
    return code == kExitUsage ? kExitFailed : code;
  }
  const Endpoints endpoints = (*server)->endpoints();
  LogInfo("ready: RESP on {}:{}, HTTP on {}, data in {}", endpoints.host, endpoints.resp_port,
          HttpUrlOf(endpoints), config.service.data_dir);
  NotifyServiceManager("READY=1");
  const std::unique_ptr<Watchdog> watchdog = StartWatchdog((*server)->service(), endpoints);
  stop.OnHangup([&server] { (*server)->ReadFilesAgain(); });
  on_ready(endpoints);
  stop.Wait();
  LogInfo("stopping: answering what is in flight");
  NotifyServiceManager("STOPPING=1");
  if (watchdog) watchdog->Stop();
  if (auto stopped = (*server)->Stop(); !stopped) return fail(stopped.error());
  LogInfo("stopped: both stores are complete");
  return kExitDone;
}

}  // namespace switchback
