#include "server/http/event_feed.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "server/http/event_stream.hpp"

namespace switchback {
namespace {

Result<std::set<std::string, std::less<>>> ParseTopics(std::string_view text) {
  std::set<std::string, std::less<>> topics;
  while (!text.empty()) {
    const std::string_view topic = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), topic.size() + 1));
    if (!IsEventTopic(topic))
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("topics: there is no \"{}\"; there are {}", topic.substr(0, 64),
                              fmt::join(kEventTopics, ", ")));
    topics.emplace(topic);
  }
  return topics;
}

}  // namespace

Result<std::shared_ptr<void>> EventFeed::TakeSlot() {
  if (is_ending_.load()) return Fail(ErrorCode::kUnavailable, "the server is stopping");
  if (open_count_.fetch_add(1) >= count_max_) {
    open_count_.fetch_sub(1);
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} streams of events are open, which is the limit: close one, or ask "
                            "/v1/status now and then",
                            count_max_));
  }
  return std::shared_ptr<void>(nullptr, [this](void*) { open_count_.fetch_sub(1); });
}

Result<std::shared_ptr<BodyStream>> EventFeed::Open(std::string_view topics,
                                                    std::string_view last_event_id) {
  auto wanted = ParseTopics(topics);
  if (!wanted) return Fail(wanted.error());
  auto slot = TakeSlot();
  if (!slot) return Fail(slot.error());
  const ProgressWatcher::Present present = watcher_.Look();
  const auto known = ParseEventId(last_event_id, hub_.boot());
  EventStreamOptions options;
  options.is_resumed = known && *known <= hub_.last_number();
  options.after = options.is_resumed ? *known : present.number;
  options.state = present.state;
  options.topics = *std::move(wanted);
  options.state_now = [this] { return watcher_.state(); };
  options.is_ending = &is_ending_;
  options.slot = *std::move(slot);
  return std::shared_ptr<BodyStream>(
      std::make_shared<EventStream>(hub_, clock_, std::move(options)));
}

void EventFeed::Stop() {
  if (is_ending_.exchange(true)) return;
  hub_.Publish("server", {{"state", "stopping"}});
}

}  // namespace switchback
