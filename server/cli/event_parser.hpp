// Reads Server-Sent Events, as they come in pieces of any size.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace switchback {

struct ReceivedEvent {
  std::string id;
  std::string name = "message";
  std::string data;
};

// One thread at a time.
class EventParser {
 public:
  // A longer line is no event of ours: what comes after it is ignored.
  static constexpr std::size_t kLineBytesMax = 4u << 20;

  // Calls `on_event` for each event that `bytes` completes.
  void Feed(std::string_view bytes, const std::function<void(const ReceivedEvent&)>& on_event);
  // Forgets what is half received, for a new connection; keeps the id.
  void Reset();
  // Of the newest event, or of an id that came without one; "" before any.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }

 private:
  void OnLine(std::string_view line, const std::function<void(const ReceivedEvent&)>& on_event);

  std::string line_;
  ReceivedEvent event_;
  bool has_data_ = false;
  bool is_broken_ = false;
  std::string id_;
  std::string last_id_;
};

}  // namespace switchback
