// What happens, for whoever watches: a short memory of events that any part may publish and any
// number of watchers read at their own pace (server/http/event_stream.hpp sends them to clients).
//
// (1) Publishing never waits for a watcher. (2) The memory is bounded: a watcher that falls behind
// it learns how many events it missed. (3) Events are news, not truth: what must not be forgotten
// is in the journal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "common/sync.hpp"

namespace switchback {

// Every topic there is; docs/protocol.md says what its events hold. A new one is added here.
inline constexpr std::array<std::string_view, 12> kEventTopics{
    "backup",  "flags",    "follower", "guard",  "migration", "operation",
    "restore", "rollback", "rollout",  "schema", "server",    "verify"};
[[nodiscard]] bool IsEventTopic(std::string_view topic);

struct Event {
  std::uint64_t number = 0;  // from 1 on, without gaps, for one hub
  WallTime time;
  std::string topic;
  std::string data;  // a JSON object in one line, valid UTF-8
};

// Some events in a row.
struct EventPage {
  std::vector<std::shared_ptr<const Event>> events;
  std::uint64_t lost = 0;  // so many before them are forgotten
};

struct EventHubLimits {
  std::size_t count_max = kEventCountMax;
  std::size_t bytes_max = kEventBytesMax;  // of topics and data
};

// Thread-safe. Calls take a short lock and never block for long.
class EventHub {
 public:
  // `clock` outlives it. `boot` tells this hub's numbers from those of another process; "" =
  // random.
  explicit EventHub(const Clock& clock, std::string boot = "", EventHubLimits limits = {});
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // `topic` is one of kEventTopics, `data` an object without a member "time" (readers add it).
  // Bytes that are not UTF-8 become U+FFFD; an object of more than kEventDataBytesMax is replaced
  // by its size.
  void Publish(std::string_view topic, const nlohmann::ordered_json& data) SB_EXCLUDES(mutex_);

  // At most `count_max` events after `number`, oldest first.
  [[nodiscard]] EventPage Since(std::uint64_t number, std::size_t count_max) const
      SB_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t last_number() const SB_EXCLUDES(mutex_);
  // Letters and digits.
  [[nodiscard]] const std::string& boot() const { return boot_; }

  // Until it is destroyed, `wake` is called after each event, on the publisher's thread and with
  // the hub locked: it must only tell another thread to look. The hub outlives it.
  class Subscription {
   public:
    ~Subscription() { hub_.Unsubscribe(*this); }
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class EventHub;
    Subscription(EventHub& hub, std::function<void()> wake) : hub_(hub), wake_(std::move(wake)) {}
    EventHub& hub_;
    const std::function<void()> wake_;
  };
  [[nodiscard]] std::unique_ptr<Subscription> Subscribe(std::function<void()> wake)
      SB_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t subscriber_count() const SB_EXCLUDES(mutex_);

 private:
  void Unsubscribe(const Subscription& subscription) SB_EXCLUDES(mutex_);

  const Clock& clock_;
  const std::string boot_;
  const EventHubLimits limits_;
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const Event>> events_ SB_GUARDED_BY(mutex_);
  std::size_t bytes_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_number_ SB_GUARDED_BY(mutex_) = 0;
  std::vector<const Subscription*> subscriptions_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
