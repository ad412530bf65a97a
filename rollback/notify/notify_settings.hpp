// Who is to be notified, as the configuration says.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "rollback/notify/command_sink.hpp"
#include "rollback/notify/notification.hpp"
#include "rollback/notify/retry_state.hpp"
#include "rollback/notify/webhook_sink.hpp"

namespace switchback {

inline constexpr std::size_t kSinkCountMax = 16;

struct SinkSettings {
  std::string name;                 // letters, digits, '-' and '_'; what the spool knows it by
  std::vector<std::string> events;  // NotificationFilter; empty = all
  std::string kind;                 // "webhook" "command": which of these two counts
  WebhookOptions webhook;
  CommandOptions command;
};

// A list of {"kind", "name"?, "events"?, and what belongs to the kind}. Without a name it is the
// kind with its place in the list, as "webhook-1". Errors (kInvalidArgument): the place and the
// member that is wrong.
Result<std::vector<SinkSettings>> ParseSinks(const nlohmann::ordered_json& list);
// {"ms_min"?, "ms_max"?, "seconds_max"?} over `policy`. kInvalidArgument.
Status ChangeRetryPolicy(const nlohmann::ordered_json& document, RetryPolicy& policy);

[[nodiscard]] std::unique_ptr<NotificationSink> MakeSink(const SinkSettings& settings);

}  // namespace switchback
