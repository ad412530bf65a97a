// Lets clients in to the events: which topics, from where on, how many at the same time.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "server/http/body_stream.hpp"
#include "server/progress_watcher.hpp"
#include "service/event_hub.hpp"

namespace switchback {

// A quarter of the connections: watchers never keep an operator out.
inline constexpr std::size_t kEventStreamCountMax = 64;

// Thread-safe. All it is given outlives it, and it outlives the streams.
class EventFeed {
 public:
  EventFeed(EventHub& hub, ProgressWatcher& watcher, const Clock& clock,
            std::size_t count_max = kEventStreamCountMax)
      : hub_(hub), watcher_(watcher), clock_(clock), count_max_(count_max) {}
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // `topics`: names with commas between, "" = all. `last_event_id`: the client's, "" = none. Blocks
  // as ProgressWatcher::Look. Errors: kInvalidArgument (topics), kUnavailable (as many as there may
  // be are open, or the server is stopping).
  Result<std::shared_ptr<BodyStream>> Open(std::string_view topics, std::string_view last_event_id);

  // Tells the clients, and ends every stream behind that.
  void Stop();
  [[nodiscard]] std::size_t open_count() const { return open_count_.load(); }

 private:
  Result<std::shared_ptr<void>> TakeSlot();

  EventHub& hub_;
  ProgressWatcher& watcher_;
  const Clock& clock_;
  const std::size_t count_max_;
  std::atomic<std::size_t> open_count_{0};
  std::atomic<bool> is_ending_{false};
};

}  // namespace switchback
