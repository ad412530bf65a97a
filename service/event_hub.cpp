#include "service/event_hub.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "common/check.hpp"

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;

std::string NewBoot() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::string OneLine(const Json& data) {
  std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kEventDataBytesMax) return text;
  return Json{{"too_large_bytes", text.size()}}.dump();
}

std::size_t Weight(const Event& event) {
  return event.topic.size() + event.data.size();
}

}  // namespace

bool IsEventTopic(std::string_view topic) {
  return std::find(kEventTopics.begin(), kEventTopics.end(), topic) != kEventTopics.end();
}

EventHub::EventHub(const Clock& clock, std::string boot, EventHubLimits limits)
    : clock_(clock), boot_(boot.empty() ? NewBoot() : std::move(boot)), limits_(limits) {
  SB_CHECK(limits_.count_max > 0, "a hub remembers something");
}

void EventHub::Publish(std::string_view topic, const Json& data) {
  SB_CHECK(IsEventTopic(topic), "an event's topic is in kEventTopics");
  SB_CHECK(data.is_object(), "an event's data is a JSON object");
  auto event = std::make_shared<Event>();
  event->topic = topic;
  event->data = OneLine(data);
  const MutexLock lock(mutex_);
  event->time = clock_.WallNow();
  event->number = ++last_number_;
  bytes_ += Weight(*event);
  events_.push_back(std::move(event));
  while (events_.size() > limits_.count_max || (bytes_ > limits_.bytes_max && events_.size() > 1)) {
    bytes_ -= Weight(*events_.front());
    events_.pop_front();
  }
  for (const Subscription* subscription : subscriptions_) subscription->wake_();
}

EventPage EventHub::Since(std::uint64_t number, std::size_t count_max) const {
  EventPage page;
  const MutexLock lock(mutex_);
  if (number >= last_number_) return page;
  const std::uint64_t first = last_number_ - events_.size() + 1;
  if (number + 1 < first) page.lost = first - number - 1;
  const auto begin = static_cast<std::size_t>(std::max(number + 1, first) - first);
  const std::size_t end = begin + std::min(count_max, events_.size() - begin);
  for (std::size_t index = begin; index < end; ++index) page.events.push_back(events_[index]);
  return page;
}

std::uint64_t EventHub::last_number() const {
  const MutexLock lock(mutex_);
  return last_number_;
}

std::unique_ptr<EventHub::Subscription> EventHub::Subscribe(std::function<void()> wake) {
  std::unique_ptr<Subscription> subscription(new Subscription(*this, std::move(wake)));
  const MutexLock lock(mutex_);
  subscriptions_.push_back(subscription.get());
  return subscription;
}

void EventHub::Unsubscribe(const Subscription& subscription) {
  const MutexLock lock(mutex_);
  std::erase(subscriptions_, &subscription);
}

std::size_t EventHub::subscriber_count() const {
  const MutexLock lock(mutex_);
  return subscriptions_.size();
}

}  // namespace switchback
