#include "server/safety.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/file.hpp"
#include "common/log.hpp"
#include "flags/flag_file.hpp"
#include "rollback/guard/guard_json.hpp"
#include "rollback/latches.hpp"
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
  return snapshot.may_go_to_unified();
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
    : parts_(parts), options_(std::move(options)), flag_history_(parts.journal) {
  latch_ = OpenRoutingLatch(options_.data_dir, parts_.service, parts_.clock);
  safe_mode_ = OpenSafeMode(options_.data_dir, parts_.service, parts_.clock);
  const bool was_latched = latch_->Current().has_value();
  start_watch_ =
      std::make_unique<StartWatch>(parts_.journal, *latch_, parts_.clock, options_.guard);
  start_watch_->Begin(WantsUnified(options_.flags_path));
  if (const auto latched = latch_->Current(); latched && latched->cause == kLatchByCrashLoop) {
    parts_.notifications.OnSafeMode(latched->reason);
    if (!was_latched) Audit("switchback", "crash-loop", latched->reason);
  }
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
  hooks.on_proposal = [this](const GuardProposal& proposal) {
    parts_.events.Publish("guard", {{"event", "proposal"},
                                    {"severity", GuardSeverityName(proposal.trip.severity)},
                                    {"proposal", proposal.id},
                                    {"reason", proposal.trip.reason}});
    parts_.notifications.OnProposal(proposal);
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

void Safety::OnOperation(const OperationRecord& operation) {
  if (!operation.steps.empty() || operation.status == "running") return;
  const Json detail = Json::parse(operation.detail, nullptr, false);
  const std::string critical = detail.is_object() ? detail.value("critical", "") : "";
  if (critical.empty()) return;
  const std::string reason = fmt::format("{} {}: {}", operation.kind, operation.id, critical);
  const Json choices{{"operation", operation.id}, {"choices", SafeModeChoices(operation.kind)}};
  if (auto engaged = safe_mode_->Engage(operation.kind, reason, choices.dump()); !engaged)
    LogError("safe mode is on, and a restart would forget it: {}", engaged.error().message);
  parts_.notifications.OnSafeMode(reason + ". Writes are refused, reads go on. " +
                                  SafeModeChoices(operation.kind));
}

Status Safety::LeaveSafeMode(std::uint64_t id, const std::string& actor,
                             const std::string& reason) {
  const auto before = safe_mode_->Current();
  SB_RETURN_IF_ERROR(safe_mode_->Release(id));
  Audit(actor, "safe-mode-leave", fmt::format("{}: {}", id, reason));
  rollbacks_->Validate(actor);
  rollbacks_->Flush();
  const auto status = rollbacks_->GetStatus();
  const std::string critical =
      status && status->validation ? status->validation->Critical() : std::string();
  if (critical.empty() || !before) return {};
  (void)safe_mode_->Engage(before->cause, critical, before->detail);
  return Fail(ErrorCode::kUnavailable, "safe mode is on again: " + critical);
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
