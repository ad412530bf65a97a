#include "rollback/notify/command_sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "rollback/notify/child_process.hpp"

namespace switchback {
namespace {

std::vector<std::string> Environment(const Notification& notification) {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"}) {
    if (const char* value = std::getenv(name); value != nullptr)
      environment.push_back(std::string(name) + "=" + value);
  }
  environment.push_back("SWITCHBACK_NOTIFICATION_ID=" + notification.id);
  environment.push_back("SWITCHBACK_NOTIFICATION_KIND=" + notification.kind);
  environment.push_back(std::string("SWITCHBACK_NOTIFICATION_SEVERITY=") +
                        NotificationSeverityName(notification.severity));
  return environment;
}

// In one line, for a status.
std::string OneLine(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text.empty() ? text : ": " + text;
}

}  // namespace

SinkOutcome CommandSink::Send(const Notification& notification,
                              const std::function<bool()>& is_cancelled) {
  using Kind = SinkOutcome::Kind;
  ChildOptions child;
  child.argv = options_.argv;
  child.environment = Environment(notification);
  child.input = NotificationJson(notification) + "\n";
  child.time_max = options_.time_max;
  child.error_bytes_max = kErrorTextBytesMax;
  const auto end = RunChild(child, is_cancelled);
  if (!end) return {Kind::kFailed, end.error().message};
  const std::string said = OneLine(end->error_text);
  if (end->is_cancelled) return {Kind::kFailed, "the server is stopping"};
  if (end->is_timed_out)
    return {Kind::kFailed, fmt::format("killed after {} ms{}", options_.time_max.count(), said)};
  if (end->signal != 0)
    return {Kind::kFailed, fmt::format("died of signal {}{}", end->signal, said)};
  if (end->exit_code != 0)
    return {Kind::kFailed, fmt::format("exit code {}{}", end->exit_code, said)};
  return {Kind::kDelivered, "exit code 0"};
}

}  // namespace switchback
