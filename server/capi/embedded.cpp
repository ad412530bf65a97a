#include "server/capi/embedded.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "common/log.hpp"
#include "flags/flag_file.hpp"
#include "rollback/guard/guard_json.hpp"
#include "rollback/latches.hpp"
#include "rollback/rollback_json.hpp"
#include "server/endpoints.hpp"
#include "server/http/status_json.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kActor = "application";
constexpr std::chrono::milliseconds kMigrationPoll{10};

EmbeddedOptions WithFlagsPath(EmbeddedOptions options) {
  if (options.flags_path.empty()) options.flags_path = options.service.data_dir + "/flags.json";
  return options;
}

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

// nullopt while it goes on.
std::optional<Status> EndOf(const MigrationStatus& migration) {
  const std::string& state = migration.state;
  if (state == "complete" || state == "completed") return Status{};
  if (state == "running" || state == "rolling-back" || state == "completing") return std::nullopt;
  if (state == "none") return Fail(ErrorCode::kNotFound, "there is no migration: start one");
  const std::string& why = migration.error.empty() ? migration.last_result : migration.error;
  return Fail(ErrorCode::kRefused, "the migration is " + state + (why.empty() ? "" : ": " + why));
}

}  // namespace

Embedded::Embedded(EmbeddedOptions options)
    : options_(WithFlagsPath(std::move(options))), clock_(*options_.service.clock) {}

Embedded::~Embedded() {
  if (auto closed = Close(); !closed) LogError("close: {}", closed.error().message);
}

Result<std::unique_ptr<Embedded>> Embedded::Open(EmbeddedOptions options) {
  std::unique_ptr<Embedded> embedded(new Embedded(std::move(options)));
  const std::string& data_dir = embedded->options_.service.data_dir;
  auto service = DbService::Open(embedded->options_.service);
  if (!service) return Fail(service.error());
  embedded->service_ = *std::move(service);
  embedded->sessions_ = std::make_unique<SessionPool>(*embedded->service_);
  // What a killed server has left there would lead commands astray.
  RemoveEndpoints(data_dir);
  auto journal = Journal::Open(data_dir + "/control.sqlite", embedded->clock_);
  if (!journal) return Fail(journal.error());
  embedded->journal_ = *std::move(journal);
  SB_RETURN_IF_ERROR(embedded->StartMigrator());
  embedded->StartRollback();
  embedded->StartFlags();
  return embedded;
}

// Before the flags, whose flips the migrator may have to refuse.
Status Embedded::StartMigrator() {
  verifier_ = std::make_unique<Verifier>(*service_, *journal_, clock_);
  MigratorOptions options;
  options.start_verify = [this](const std::string& actor) { return verifier_->Start({}, actor); };
  auto migrator = Migrator::Open(*service_, *journal_, clock_, std::move(options));
  if (!migrator) return Fail(migrator.error());
  migrator_ = *std::move(migrator);
  verifier_->SetOnEnd([this](const VerifyStatus& verify) {
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

// Before any flag is published: what was latched holds from the first read on.
void Embedded::StartRollback() {
  const std::string& data_dir = options_.service.data_dir;
  latch_ = OpenRoutingLatch(data_dir, *service_, clock_);
  safe_mode_ = OpenSafeMode(data_dir, *service_, clock_);
  start_watch_ = std::make_unique<StartWatch>(*journal_, *latch_, clock_, options_.guard);
  start_watch_->Begin(WantsUnified());
  RollbackOptions options;
  options.flags_path = options_.flags_path;
  options.evidence_directory = data_dir + "/evidence";
  options.reload_flags = [this] { return watcher_->ReloadNow(); };
  rollbacks_ = RollbackManager::Open(*service_, *journal_, *latch_, clock_, std::move(options));
  GuardHooks hooks;
  hooks.verified = [this] {
    const VerifyStatus verify = verifier_->GetStatus();
    return GuardHooks::Compared{verify.records_compared, verify.differences()};
  };
  hooks.on_trip = [this](const GuardTrip& trip, const std::optional<Latched>& latched) {
    if (latched && !trip.is_dry_run) rollbacks_->OnTrip(trip, *latched);
  };
  hooks.on_look = [this] { start_watch_->Look(); };
  guard_ = std::make_unique<Guard>(*service_, *latch_, clock_, options_.guard, std::move(hooks));
}

void Embedded::StartFlags() {
  flag_history_ = std::make_unique<FlagHistory>(*journal_);
  flag_judge_ = std::make_unique<FlagJudge>(*service_);
  watcher_ = std::make_unique<FlagWatcher>(
      options_.flags_path, service_->flags(),
      [this](const std::shared_ptr<const FlagSnapshot>& snapshot) { OnFlags(*snapshot); }, clock_);
  watcher_->Start();
  rollbacks_->Start();
  guard_->Start();
}

void Embedded::OnFlags(const FlagSnapshot& flags) {
  flag_judge_->OnLoad(flags);
  rollbacks_->OnFlags(flags);
  flag_history_->OnLoad(flags);
}

bool Embedded::WantsUnified() const {
  const auto flags = LoadFlagFile(options_.flags_path);
  if (!flags) return false;
  FlagSnapshot snapshot;
  snapshot.flags = *flags;
  return snapshot.may_go_to_unified();
}

// In the order of Server::Stop, for its reasons. What Open did not come to is null.
Status Embedded::Close() {
  if (std::exchange(is_closed_, true)) return {};
  if (migrator_) migrator_->Stop();
  if (sessions_) sessions_->Close();
  if (watcher_) {
    guard_->Stop();
    rollbacks_->Stop();
    start_watch_->End();
    watcher_->Stop();
  }
  if (verifier_) verifier_->Stop();
  return service_ ? service_->Close() : Status{};
}

Status Embedded::SetPercentage(double percentage) {
  if (!std::isfinite(percentage) || percentage < 0 || percentage > 100)
    return Fail(ErrorCode::kInvalidArgument, "a percentage is 0 to 100");
  FlagChange change;
  change.enabled = percentage > 0;
  if (percentage > 0 && percentage < 100) change.percentage = percentage;
  if (change.enabled) {
    FlagSettings settings;
    settings.enabled = true;
    SB_RETURN_IF_ERROR(service_->MayApply(FlagRule(settings)));
  }
  SB_RETURN_IF_ERROR(SetFlagInFile(options_.flags_path, std::string(kUnifiedFlagName), change));
  return ReloadFlags();
}

Status Embedded::ReloadFlags() {
  SB_RETURN_IF_ERROR(watcher_->ReloadNow());
  const RoutingStatus routing = service_->GetStatus().routing;
  if (routing.is_refused) return Fail(ErrorCode::kRefused, routing.reason);
  return {};
}

Status Embedded::RollBackNow(const std::string& reason, std::chrono::milliseconds wait_max) {
  const auto done = rollbacks_->RollBack(kActor, reason, wait_max);
  if (!done) return Fail(done.error());
  rollbacks_->Flush();
  return {};
}

Status Embedded::Rearm() {
  const auto latched = latch_->Current();
  if (!latched) return Fail(ErrorCode::kNotFound, "nothing holds the keys on legacy");
  SB_RETURN_IF_ERROR(guard_->Rearm(latched->id));
  if (auto noted = journal_->Audit(kActor, "guard-rearm", "trip " + std::to_string(latched->id));
      !noted)
    LogWarning("the history does not tell of the rearming: {}", noted.error().message);
  return {};
}

Status Embedded::WaitForMigration(std::chrono::milliseconds wait_max) {
  const SteadyTime deadline = clock_.Now() + wait_max;
  while (true) {
    const MigrationStatus migration = migrator_->GetStatus();
    if (const auto end = EndOf(migration)) return *end;
    if (clock_.Now() >= deadline)
      return Fail(ErrorCode::kBusy, "the migration is " + migration.state + ": " + migration.phase +
                                        (migration.error.empty() ? "" : ", " + migration.error) +
                                        "; it goes on, wait for longer");
    std::this_thread::sleep_for(kMigrationPoll);
  }
}

std::string Embedded::StatusText() {
  Json json{{"version", kVersion}};
  json.update(ServiceStatusJson(service_->GetStatus()));
  json["flags"] = FlagStateJson(*service_->flags().Current(), watcher_->reload_failures());
  json["migration"] = MigrationJson(migrator_->GetStatus());
  const auto rollback = rollbacks_->GetStatus();
  json["rollback"] = rollback ? RollbackStatusJson(*rollback) : Json(nullptr);
  json["guard"] = GuardStatusJson(guard_->GetStatus());
  const auto latched = latch_->Current();
  json["latched"] = latched ? LatchedJson(*latched) : Json(nullptr);
  return Text(json);
}

std::string Embedded::MigrationText() {
  return Text(MigrationJson(migrator_->GetStatus()));
}

}  // namespace switchback
