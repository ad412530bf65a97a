// What somebody has to hear of who does not watch the server: one thing that happened, in words for
// people and in figures for programs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"

namespace switchback {

// Every kind there is; docs/operations.md says when each is sent. A new one is added here.
inline constexpr std::array<std::string_view, 16> kNotificationKinds{
    "backup.result",   "guard.alert",      "guard.dry-run",      "guard.proposal",
    "guard.trip",      "migration.result", "migration.rollback", "restore.result",
    "rollback.result", "rollout.abort",    "rollout.done",       "rollout.step",
    "schema.result",   "server.safe-mode", "verify.differences", "verify.failed"};
// Sent on request only, whatever a sink wants to hear of.
inline constexpr std::string_view kTestNotification = "test";

[[nodiscard]] bool IsNotificationKind(std::string_view kind);

enum class NotificationSeverity : std::uint8_t { kInfo, kWarning, kCritical };
[[nodiscard]] const char* NotificationSeverityName(
    NotificationSeverity severity);  // "info" "warning" "critical"

// Texts are UTF-8 or are made so when they are written.
struct Notification {
  std::string id;    // 32 hexadecimal digits; the same in every attempt, so that a receiver can
                     // drop what it has already
  WallTime time{};   // when it happened
  std::string kind;  // of kNotificationKinds
  NotificationSeverity severity = NotificationSeverity::kInfo;
  std::string title;   // one line
  std::string text;    // what it means and what to do, for people
  std::string source;  // which server says so
  nlohmann::ordered_json detail = nlohmann::ordered_json::object();
};

// Of `detail` as it is written; what is larger is replaced by its size.
inline constexpr std::size_t kNotificationDetailBytesMax = 64u << 10;

[[nodiscard]] std::string NewNotificationId();

// One line: {"id", "time", "kind", "severity", "title", "text", "source", "detail"}. Never fails.
[[nodiscard]] std::string NotificationJson(const Notification& notification);
// The same for Slack and those who understand its incoming webhooks: {"text"}.
[[nodiscard]] std::string SlackJson(const Notification& notification);
// What NotificationJson wrote; nullopt for anything else.
[[nodiscard]] std::optional<Notification> ParseNotification(std::string_view json);

// Which kinds a sink wants: names, or "guard.*" for all that begin so; empty = all.
class NotificationFilter {
 public:
  NotificationFilter() = default;
  explicit NotificationFilter(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}
  [[nodiscard]] bool Wants(std::string_view kind) const;
  [[nodiscard]] const std::vector<std::string>& wanted() const { return wanted_; }
  // Whether `pattern` can ever match.
  [[nodiscard]] static bool IsValid(std::string_view pattern);

 private:
  std::vector<std::string> wanted_;
};

}  // namespace switchback
