#include "server/safety.hpp"

#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "common/log.hpp"
#include "flags/flag_file.hpp"
#include "rollback/guard/guard_json.hpp"
#include "rollback/metrics_json.hpp"
#include "rollback/rollback_json.hpp"
#include "server/http/process_stats.hpp"
#include "server/http/status_json.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kFlagsBytesMax = 1u << 20;

std::string Pretty(const Json& json) {
  return json.dump(2, ' ', false, nlohmann::detail::error_handler_t::replace) + "\n";
}

bool WantsUnified(const std::string& flags_path) {
  const auto flags = LoadFlagFile(flags_path);
  if (!flags) return false;
  FlagSnapshot snapshot;
  snapshot.flags = *flags;
  return snapshot.unified().share() > 0;
}

Json TripJson(const GuardTrip& trip, const std::optional<Latched>& latched) {
  return {{"event", trip.is_dry_run ? "would-trip" : "trip"},
          {"severity", GuardSeverityName(trip.severity)},
          {"reason", trip.reason},
          {"stream", GuardStreamJson(trip.stream)},
          {"latched", latched ? LatchedJson(*latched) : Json()}};
}

}  // namespace

Safety::Safety(SafetyParts parts, SafetyOptions options)
    : parts_(parts), options_(std::move(options)) {
  latch_ = RoutingLatch::Open(options_.data_dir + "/guard.json", parts_.service, parts_.clock);
  start_watch_ =
      std::make_unique<StartWatch>(parts_.journal, *latch_, parts_.clock, options_.guard);
  start_watch_->Begin(WantsUnified(options_.flags_path));
  if (const auto latched = latch_->Current(); latched && latched->cause == kLatchByCrashLoop)
    parts_.notifications.OnSafeMode(latched->reason);
  history_ = std::make_unique<MetricsHistory>(parts_.service, parts_.journal, parts_.clock);
  RollbackOptions rollback;
  rollback.flags_path = options_.flags_path;
  rollback.evidence_directory = options_.data_dir + "/evidence";
  rollback.reload_flags = [this] { return watcher_->ReloadNow(); };
  rollback.collect_evidence = [this] { return CollectEvidence(); };
  rollback.limits.memory_bytes = [] { return ReadProcessStats().resident_bytes; };
  rollbacks_ = RollbackManager::Open(parts_.service, parts_.journal, *latch_, parts_.clock,
                                     std::move(rollback));
  guard_ = std::make_unique<Guard>(parts_.service, *latch_, parts_.clock, options_.guard, Hooks());
}

GuardHooks Safety::Hooks() {
  GuardHooks hooks;
  hooks.verified = [this] {
    const VerifyStatus verify = parts_.verifier.GetStatus();
    return GuardHooks::Compared{verify.records_compared, verify.differences()};
  };
  hooks.memory_bytes = [] { return ReadProcessStats().resident_bytes; };
  hooks.on_trip = [this](const GuardTrip& trip, const std::optional<Latched>& latched) {
    parts_.events.Publish("guard", TripJson(trip, latched));
    parts_.notifications.OnTrip(trip, latched);
    if (latched && !trip.is_dry_run) rollbacks_->OnTrip(trip, *latched);
  };
  hooks.on_alert = [this](const GuardAlert& alert) {
    parts_.events.Publish("guard", {{"event", "alert"},
                                    {"severity", GuardSeverityName(alert.severity)},
                                    {"name", alert.name},
                                    {"text", alert.text}});
    parts_.notifications.OnAlert(alert);
  };
  hooks.on_look = [this] {
    start_watch_->Look();
    history_->Look();
  };
  return hooks;
}

void Safety::Start(FlagWatcher& watcher) {
  watcher_ = &watcher;
  rollbacks_->Start();
  guard_->Start();
  is_started_ = true;
}

void Safety::Stop() {
  if (!is_started_) return;
  is_started_ = false;
  guard_->Stop();
  rollbacks_->Stop();
  start_watch_->End();
}

void Safety::Audit(const std::string& actor, const std::string& action, const std::string& detail) {
  if (auto noted = parts_.journal.Audit(actor, action, detail); !noted)
    LogWarning("{} by {} is not in the journal: {}", action, actor, noted.error().message);
}

std::vector<EvidenceFile> Safety::CollectEvidence() const {
  std::vector<EvidenceFile> files;
  files.push_back({"versions.json", Pretty({{"switchback", kVersion}})});
  Json status = ServiceStatusJson(parts_.service.GetStatus());
  status["operations"] = OperationsJson(parts_.service.GetMetrics());
  status["process"] = ProcessJson(ReadProcessStats());
  files.push_back({"status.json", Pretty(status)});
  files.push_back({"comparison.json", Pretty(ComparisonJson(parts_.service, *history_))});
  Json portions = Json::array();
  for (const MetricsPortion& portion : history_->Portions())
    portions.push_back(PortionJson(portion));
  files.push_back({"last-ten-minutes.json", Pretty(portions)});
  files.push_back({"guard.json", Pretty(GuardStatusJson(guard_->GetStatus()))});
  const auto flags = ReadWholeFile(options_.flags_path, kFlagsBytesMax);
  files.push_back({"flags.json", flags ? *flags : flags.error().message + "\n"});
  std::string log;
  for (const std::string& line : RecentLogLines()) log += line + "\n";
  files.push_back({"log.txt", log});
  return files;
}

}  // namespace switchback
