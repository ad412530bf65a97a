#include "server/http/event_stream.hpp"

#include <fmt/core.h>

#include <charconv>
#include <utility>

#include "common/check.hpp"
#include "migration/journal.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

// When a client that has lost the connection may come again.
constexpr std::string_view kRetryField = "retry: 2000\n";
constexpr std::size_t kPageCount = 64;

// With milliseconds: "2026-11-21T10:00:00.123Z".
std::string FormatUtcMs(WallTime time) {
  std::string text = FormatUtc(time);
  text.pop_back();
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  return fmt::format("{}.{:03}Z", text, since_epoch.count() % 1000);
}

}  // namespace

EventStream::EventStream(EventHub& hub, const Clock& clock, EventStreamOptions options)
    : hub_(hub), clock_(clock), options_(std::move(options)), position_(options_.after) {
  SB_CHECK(options_.state_now && options_.is_ending != nullptr,
           "an event stream's options are set");
}

// One word at a time: a burst of events is one look at the hub.
void EventStream::Open(std::function<void()> wake) {
  subscription_ = hub_.Subscribe([this, wake = std::move(wake)] {
    if (!is_woken_.exchange(true)) wake();
  });
}

BodyStream::Piece EventStream::Take() {
  is_woken_.store(false);
  Piece piece;
  if (!has_greeted_) AppendHello(piece.bytes);
  has_greeted_ = true;
  // Before looking, so that what was published before the end is sent.
  const bool is_ending = options_.is_ending->load();
  while (piece.bytes.size() < kEventPieceBytesMax) {
    if (AppendEvents(piece.bytes)) continue;
    piece.is_last = is_ending;
    break;
  }
  return piece;
}

bool EventStream::AppendEvents(std::string& out) {
  const EventPage page = hub_.Since(position_, kPageCount);
  if (page.lost > 0) {
    position_ += page.lost;
    AppendLost(page.lost, out);
  }
  for (const auto& event : page.events) {
    if (out.size() >= kEventPieceBytesMax) break;
    position_ = event->number;
    if (options_.topics.empty() || event->topic == "server" ||
        options_.topics.contains(event->topic))
      Append(event->topic, event->number, event->time, event->data, out);
  }
  return !page.events.empty();
}

// The id alone is not an event for a client, but it remembers it: so what its filter has left out
// does not count as lost when it comes back.
std::string EventStream::Heartbeat() {
  return fmt::format(": still here\nid: {}\n\n", IdOf(position_));
}

std::string EventStream::IdOf(std::uint64_t number) const {
  return fmt::format("{}-{}", hub_.boot(), number);
}

void EventStream::Append(std::string_view topic, std::uint64_t number, WallTime time,
                         std::string_view data, std::string& out) const {
  SB_CHECK(data.size() >= 2 && data.front() == '{', "an event's data is a JSON object");
  const std::string_view members = data.substr(1);
  out += fmt::format("id: {}\nevent: {}\ndata: {{\"time\":\"{}\"{}{}\n\n", IdOf(number), topic,
                     FormatUtcMs(time), members == "}" ? "" : ",", members);
}

void EventStream::AppendHello(std::string& out) const {
  out += kRetryField;
  const std::string state = options_.is_resumed ? "" : ",\"state\":" + options_.state;
  Append("hello", position_, clock_.WallNow(),
         fmt::format("{{\"version\":\"{}\",\"boot\":\"{}\",\"is_resumed\":{}{}}}", kVersion,
                     hub_.boot(), options_.is_resumed, state),
         out);
}

void EventStream::AppendLost(std::uint64_t count, std::string& out) const {
  Append("lost", position_, clock_.WallNow(),
         fmt::format("{{\"missed\":{},\"state\":{}}}", count, options_.state_now()), out);
}

std::optional<std::uint64_t> ParseEventId(std::string_view id, std::string_view boot) {
  if (id.size() <= boot.size() + 1 || !id.starts_with(boot) || id[boot.size()] != '-')
    return std::nullopt;
  const std::string_view digits = id.substr(boot.size() + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace switchback
