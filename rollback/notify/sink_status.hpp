// How a sink of notifications stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchback {

struct SinkStatus {
  std::string name, kind, target;
  std::vector<std::string> events;  // empty = all
  std::uint64_t waiting = 0;
  // Since the process started. `failed` counts attempts, the others notifications.
  std::uint64_t delivered = 0, failed = 0, refused = 0, expired = 0, dropped = 0;
  // Of the last attempt; "" when there was none.
  std::string last_time, last_outcome, last_text, last_id;
  std::optional<double> next_attempt_seconds;  // nullopt: it does not wait after a failure
};

}  // namespace switchback
