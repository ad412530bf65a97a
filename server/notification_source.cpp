#include "server/notification_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "rollback/guard/guard_json.hpp"
#include "rollback/rollback_manager.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

// How operations of one kind in the journal are told of.
struct OperationRule {
  std::string_view operation;
  std::string_view kind;  // of the notification
  std::string_view name;  // for people
  NotificationSeverity done, failed;
  std::string_view advice;  // when it failed
};

constexpr std::array kRules{
    OperationRule{"backup", "backup.result", "backup", NotificationSeverity::kInfo,
                  NotificationSeverity::kWarning,
                  "See `switchback backup status` and the server's log; the backups of before are "
                  "untouched."},
    OperationRule{"migration", "migration.result", "migration", NotificationSeverity::kInfo,
                  NotificationSeverity::kCritical,
                  "See `switchback migrate status`; serving goes on."},
    OperationRule{"migration-complete", "migration.result", "completion of the migration",
                  NotificationSeverity::kInfo, NotificationSeverity::kWarning,
                  "Legacy is kept. See `switchback migrate status`."},
    OperationRule{"migration-rollback", "migration.rollback", "way back of the migration",
                  NotificationSeverity::kWarning, NotificationSeverity::kCritical,
                  "See `switchback migrate status`: mend the cause, then `switchback migrate "
                  "resume`."},
    OperationRule{kFlagRollback, "rollback.result", "rollback", NotificationSeverity::kWarning,
                  NotificationSeverity::kCritical,
                  "Look at its steps in the journal and at the evidence."},
    OperationRule{kValidation, "rollback.result", "validation", NotificationSeverity::kInfo,
                  NotificationSeverity::kCritical, "Look at its checks."},
    OperationRule{"rollout", "rollout.done", "rollout", NotificationSeverity::kInfo,
                  NotificationSeverity::kWarning,
                  "Look at why it stopped before going on with it."},
    OperationRule{"schema", "schema.result", "change of the schema", NotificationSeverity::kInfo,
                  NotificationSeverity::kWarning, "See `switchback schema status`."},
};

const OperationRule* RuleOf(std::string_view operation) {
  const auto found = std::find_if(kRules.begin(), kRules.end(), [&](const OperationRule& rule) {
    return rule.operation == operation;
  });
  return found == kRules.end() ? nullptr : &*found;
}

std::string Text(const Json& document, const char* name) {
  const auto member = document.find(name);
  return member != document.end() && member->is_string() ? member->get<std::string>() : "";
}

std::string Capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

// Backups, restores, uploads and more are one kind of operation in the journal.
bool IsRestore(const OperationRecord& operation, const std::string& what) {
  return operation.kind == "backup" &&
         (what == "restore" || what == "undo" || operation.reason.starts_with("restore ") ||
          operation.reason.starts_with("undo "));
}

std::string NameOf(const OperationRule& rule, const std::string& what) {
  if (what == "restore") return "restore";
  if (what == "undo") return "undoing of a restore";
  if (what.empty() || what == "create") return std::string(rule.name);
  return what + " of a backup";
}

std::string Sentence(const std::string& lead, const std::string& rest) {
  if (rest.empty()) return "";
  return lead + rest + (rest.ends_with('.') ? "" : ".");
}

Notification EndOf(const OperationRule& rule, const OperationRecord& operation) {
  const Json parsed = Json::parse(operation.detail, nullptr, false);
  const Json detail = parsed.is_object() ? parsed : Json::object();
  const std::string what = Text(detail, "operation");
  const std::string result = Text(detail, "final_status");
  const bool is_partial = result == "PARTIAL";
  const bool is_done = operation.status == "done" && !is_partial;
  const bool is_restore = IsRestore(operation, what);
  Notification notification;
  notification.kind = is_restore ? "restore.result" : std::string(rule.kind);
  if (rule.operation == "rollout" && operation.status != "done")
    notification.kind = "rollout.abort";
  notification.severity = is_done                           ? rule.done
                          : operation.status == "cancelled" ? NotificationSeverity::kInfo
                          : is_restore                      ? NotificationSeverity::kCritical
                                                            : rule.failed;
  const std::string id = Text(detail, "id");
  notification.title =
      fmt::format("{}{}: {}", Capital(NameOf(rule, what)), id.empty() ? "" : " " + id,
                  is_partial ? "done in part" : operation.status);
  notification.text = Sentence("Asked for by ", operation.actor);
  for (const auto& sentence :
       {Sentence(" Reason: ", operation.reason), Sentence(" Error: ", Text(detail, "error")),
        is_done || operation.status == "cancelled" ? "" : " " + std::string(rule.advice)})
    notification.text += sentence;
  if (notification.text.starts_with(' ')) notification.text.erase(0, 1);
  notification.detail = {{"operation_id", operation.id},   {"operation", operation.kind},
                         {"status", operation.status},     {"actor", operation.actor},
                         {"reason", operation.reason},     {"started_at", operation.started_at},
                         {"ended_at", operation.ended_at}, {"result", detail}};
  return notification;
}

std::optional<Notification> StepOf(const OperationRecord& operation) {
  const OperationStep& step = operation.steps.front();
  if (operation.kind != "rollout" || step.status == "running") return std::nullopt;
  Notification notification;
  notification.kind = "rollout.step";
  notification.severity =
      step.status == "done" ? NotificationSeverity::kInfo : NotificationSeverity::kWarning;
  notification.title = fmt::format("Rollout: {}: {}", step.name, step.status);
  notification.text = step.detail;
  notification.detail = {{"operation_id", operation.id},
                         {"step", step.name},
                         {"status", step.status},
                         {"detail", step.detail}};
  return notification;
}

NotificationSeverity SeverityOf(GuardSeverity severity) {
  switch (severity) {
    case GuardSeverity::kCritical: return NotificationSeverity::kCritical;
    case GuardSeverity::kMajor: return NotificationSeverity::kWarning;
    case GuardSeverity::kMinor: return NotificationSeverity::kInfo;
  }
  return NotificationSeverity::kWarning;
}

}  // namespace

std::optional<Notification> OperationNotification(const OperationRecord& operation) {
  if (!operation.steps.empty()) return StepOf(operation);
  const OperationRule* rule = RuleOf(operation.kind);
  if (rule == nullptr || operation.status == "running") return std::nullopt;
  if (operation.kind == kValidation && operation.status == "done") return std::nullopt;
  return EndOf(*rule, operation);
}

std::optional<Notification> VerifyNotification(const VerifyStatus& verify) {
  const bool is_failed = verify.state == "failed";
  if (!is_failed && verify.differences() == 0) return std::nullopt;
  if (verify.state == "cancelled" || verify.state == "interrupted") return std::nullopt;
  Notification notification;
  notification.kind = is_failed ? "verify.failed" : "verify.differences";
  notification.severity =
      is_failed ? NotificationSeverity::kWarning : NotificationSeverity::kCritical;
  notification.title =
      is_failed ? "Verify failed" : fmt::format("Verify: {} records differ", verify.differences());
  notification.text =
      is_failed ? Sentence("", verify.error) + " The stores were not compared to the end."
                : fmt::format(
                      "As seen from unified {} are missing, {} are extra, {} differ; {} of "
                      "them are repaired. `switchback verify --status` names them, "
                      "`switchback verify --repair FROM` mends them.",
                      verify.missing, verify.extra, verify.differs, verify.repaired);
  notification.detail = {{"state", verify.state},
                         {"started_at", verify.started_at},
                         {"records_compared", verify.records_compared},
                         {"missing", verify.missing},
                         {"extra", verify.extra},
                         {"differs", verify.differs},
                         {"repaired", verify.repaired},
                         {"error", verify.error}};
  return notification;
}

Notification TripNotification(const GuardTrip& trip, const std::optional<Latched>& latched) {
  Notification notification;
  notification.kind = trip.is_dry_run ? "guard.dry-run" : "guard.trip";
  notification.severity =
      trip.is_dry_run ? NotificationSeverity::kWarning : SeverityOf(trip.severity);
  notification.title = trip.is_dry_run ? "The guard would have gone back to legacy"
                                       : "The guard has gone back to legacy";
  notification.text = Sentence("", trip.reason);
  if (trip.is_dry_run) {
    notification.text += " It is a dry run: nothing was changed.";
  } else if (latched) {
    notification.text += fmt::format(
        " Every key stays on legacy until somebody has looked at it: `switchback rollback rearm "
        "{}`.",
        latched->id);
  }
  notification.detail = {{"reason", trip.reason},
                         {"severity", GuardSeverityName(trip.severity)},
                         {"dry_run", trip.is_dry_run},
                         {"stream", GuardStreamJson(trip.stream)}};
  notification.detail["trip"] = latched ? LatchedJson(*latched) : Json(nullptr);
  return notification;
}

Notification AlertNotification(const GuardAlert& alert) {
  Notification notification;
  notification.kind = "guard.alert";
  notification.severity = SeverityOf(alert.severity);
  notification.title = "The guard: " + alert.name;
  notification.text = alert.text;
  notification.detail = {{"name", alert.name}, {"severity", GuardSeverityName(alert.severity)}};
  return notification;
}

Notification ProposalNotification(const GuardProposal& proposal) {
  Notification notification;
  notification.kind = "guard.proposal";
  notification.severity = NotificationSeverity::kCritical;
  notification.title = "The guard proposes to go back to legacy";
  notification.text =
      Sentence("", proposal.trip.reason) +
      fmt::format(
          " `switchback rollback confirm {}` does it, `switchback rollback dismiss {}` "
          "leaves everything as it is{}.",
          proposal.id, proposal.id,
          proposal.acts_at ? "; it is done by itself unless somebody dismisses it" : "");
  notification.detail = {{"proposal", proposal.id},
                         {"severity", GuardSeverityName(proposal.trip.severity)},
                         {"reason", proposal.trip.reason}};
  return notification;
}

Notification SafeModeNotification(const std::string& reason) {
  Notification notification;
  notification.kind = "server.safe-mode";
  notification.severity = NotificationSeverity::kCritical;
  notification.title = "Safe mode";
  notification.text = reason;
  notification.detail = {{"reason", reason}};
  return notification;
}

void NotificationSource::OnOperation(const OperationRecord& operation) {
  if (auto notification = OperationNotification(operation))
    notifier_.Publish(*std::move(notification));
}

void NotificationSource::OnVerifyEnd(const VerifyStatus& verify) {
  auto notification = VerifyNotification(verify);
  const std::string finding =
      notification ? verify.started_at + notification->title + notification->text : "";
  {
    MutexLock lock(mutex_);
    if (finding == std::exchange(last_finding_, finding)) return;
  }
  if (notification) notifier_.Publish(*std::move(notification));
}

}  // namespace switchback
