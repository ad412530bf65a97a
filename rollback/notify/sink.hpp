// Where notifications go: the contract of what brings one there.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "rollback/notify/notification.hpp"

namespace switchback {

struct SinkOutcome {
  enum class Kind : std::uint8_t {
    kDelivered,
    kFailed,   // worth another attempt
    kRefused,  // the receiver wants no such thing: it would say so again
  };
  Kind kind = Kind::kDelivered;
  std::string text;  // for people, without secrets: "status 204", "exit code 1: no such channel"
  std::optional<std::chrono::seconds> retry_after = std::nullopt;  // the receiver asked for it
};
[[nodiscard]] inline const char* SinkOutcomeName(SinkOutcome::Kind kind) {
  return kind == SinkOutcome::Kind::kDelivered ? "delivered"
         : kind == SinkOutcome::Kind::kFailed  ? "failed"
                                               : "refused";
}

// Thread-safe.
class NotificationSink {
 public:
  NotificationSink() = default;
  virtual ~NotificationSink() = default;
  NotificationSink(const NotificationSink&) = delete;
  NotificationSink& operator=(const NotificationSink&) = delete;

  // One attempt. Blocks for a bounded time, and ends within about a second once `is_cancelled`,
  // which any thread may call, says so: kFailed.
  virtual SinkOutcome Send(const Notification& notification,
                           const std::function<bool()>& is_cancelled) = 0;
  [[nodiscard]] virtual const char* kind() const = 0;  // "webhook" "command"
  // Where to, for people; nothing of it is a secret.
  [[nodiscard]] virtual std::string target() const = 0;
};

}  // namespace switchback
