// Events as Server-Sent Events (WHATWG HTML, "Server-sent events"), from one position on.
//
// Ids are "<boot>-<number>", so that a client that comes back with one of another process is
// noticed. The stream begins with `hello`; whoever falls behind what the hub remembers gets one
// `lost` with the number of events missed and the present state, and goes on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "server/http/body_stream.hpp"
#include "service/event_hub.hpp"

namespace switchback {

// What a stream has under way at most; one event may exceed it by its own size.
inline constexpr std::size_t kEventPieceBytesMax = 64u << 10;

struct EventStreamOptions {
  std::uint64_t after = 0;                       // the first event is the one behind this
  bool is_resumed = false;                       // the client knows what was up to there
  std::string state = "{}";                      // as of `after` or later, unless it is resumed
  std::set<std::string, std::less<>> topics{};   // empty = all; `server` is always sent
  std::function<std::string()> state_now;        // for those who have lost events; quick
  const std::atomic<bool>* is_ending = nullptr;  // when true: the stream ends behind what is there
  std::shared_ptr<void> slot{};                  // kept as long as the stream lives
};

class EventStream final : public BodyStream {
 public:
  // `hub`, `clock` and `is_ending` outlive it.
  EventStream(EventHub& hub, const Clock& clock, EventStreamOptions options);

  void Open(std::function<void()> wake) override;
  Piece Take() override;
  std::string Heartbeat() override;

 private:
  [[nodiscard]] std::string IdOf(std::uint64_t number) const;
  void Append(std::string_view topic, std::uint64_t number, WallTime time, std::string_view data,
              std::string& out) const;
  void AppendHello(std::string& out) const;
  void AppendLost(std::uint64_t count, std::string& out) const;
  // False when there is no more.
  bool AppendEvents(std::string& out);

  EventHub& hub_;
  const Clock& clock_;
  EventStreamOptions options_;
  std::uint64_t position_;
  bool has_greeted_ = false;
  std::atomic<bool> is_woken_{false};
  std::unique_ptr<EventHub::Subscription> subscription_;
};

// The number of an id of this boot; nullopt for all else.
std::optional<std::uint64_t> ParseEventId(std::string_view id, std::string_view boot);

}  // namespace switchback
