#include "rollback/notify/notification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "migration/journal.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kSeverities{NotificationSeverity::kInfo, NotificationSeverity::kWarning,
                                 NotificationSeverity::kCritical};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool Matches(std::string_view pattern, std::string_view kind) {
  if (!pattern.ends_with(".*")) return pattern == kind;
  return kind.starts_with(pattern.substr(0, pattern.size() - 1));
}

// Slack takes these three for markup of its own.
std::string EscapeForSlack(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

Json BoundedDetail(const Json& detail) {
  const std::size_t bytes = Dump(detail).size();
  if (bytes <= kNotificationDetailBytesMax) return detail;
  return {{"left_out_bytes", bytes}};
}

}  // namespace

bool IsNotificationKind(std::string_view kind) {
  return std::find(kNotificationKinds.begin(), kNotificationKinds.end(), kind) !=
         kNotificationKinds.end();
}

const char* NotificationSeverityName(NotificationSeverity severity) {
  switch (severity) {
    case NotificationSeverity::kInfo: return "info";
    case NotificationSeverity::kWarning: return "warning";
    case NotificationSeverity::kCritical: return "critical";
  }
  return "?";
}

std::string NewNotificationId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", static_cast<std::uint32_t>(random()));
  return id;
}

std::string NotificationJson(const Notification& notification) {
  return Dump({{"id", notification.id},
               {"time", FormatUtc(notification.time)},
               {"kind", notification.kind},
               {"severity", NotificationSeverityName(notification.severity)},
               {"title", notification.title},
               {"text", notification.text},
               {"source", notification.source},
               {"detail", BoundedDetail(notification.detail)}});
}

std::string SlackJson(const Notification& notification) {
  std::string text = fmt::format("*[{}] {}*", NotificationSeverityName(notification.severity),
                                 EscapeForSlack(notification.title));
  if (!notification.text.empty()) text += "\n" + EscapeForSlack(notification.text);
  text += fmt::format("\n_{} at {} by {}_", notification.kind, FormatUtc(notification.time),
                      EscapeForSlack(notification.source));
  return Dump({{"text", text}});
}

std::optional<Notification> ParseNotification(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto member = document.find(name);
    return member != document.end() && member->is_string() ? member->get<std::string>() : "";
  };
  const auto time = ParseUtc(text("time"));
  Notification notification{text("id"),    {},           text("kind"),  NotificationSeverity::kInfo,
                            text("title"), text("text"), text("source")};
  if (!time || notification.id.empty() || notification.kind.empty()) return std::nullopt;
  notification.time = *time;
  for (const NotificationSeverity severity : kSeverities) {
    if (text("severity") == NotificationSeverityName(severity)) notification.severity = severity;
  }
  if (const auto detail = document.find("detail"); detail != document.end())
    notification.detail = *detail;
  return notification;
}

bool NotificationFilter::Wants(std::string_view kind) const {
  return wanted_.empty() || kind == kTestNotification ||
         std::any_of(wanted_.begin(), wanted_.end(),
                     [&](const std::string& pattern) { return Matches(pattern, kind); });
}

bool NotificationFilter::IsValid(std::string_view pattern) {
  return std::any_of(kNotificationKinds.begin(), kNotificationKinds.end(),
                     [&](std::string_view kind) { return Matches(pattern, kind); });
}

}  // namespace switchback
