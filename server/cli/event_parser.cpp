#include "server/cli/event_parser.hpp"

#include <algorithm>
#include <utility>

namespace switchback {

void EventParser::Feed(std::string_view bytes,
                       const std::function<void(const ReceivedEvent&)>& on_event) {
  while (!bytes.empty() && !is_broken_) {
    const auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    is_broken_ = line_.size() > kLineBytesMax;
    if (end == std::string_view::npos || is_broken_) return;
    bytes.remove_prefix(end + 1);
    std::string line = std::exchange(line_, "");
    if (line.ends_with('\r')) line.pop_back();
    OnLine(line, on_event);
  }
}

void EventParser::Reset() {
  line_.clear();
  event_ = {};
  has_data_ = false;
  is_broken_ = false;
  id_ = last_id_;
}

void EventParser::OnLine(std::string_view line,
                         const std::function<void(const ReceivedEvent&)>& on_event) {
  if (line.empty()) {
    last_id_ = id_;
    ReceivedEvent event = std::exchange(event_, {});
    event.id = id_;
    if (std::exchange(has_data_, false)) on_event(event);
    return;
  }
  const std::string_view field = line.substr(0, line.find(':'));
  std::string_view value = line.substr(std::min(line.size(), field.size() + 1));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") id_ = value;
  if (field == "event") event_.name = value;
  if (field != "data") return;
  if (has_data_) event_.data += '\n';
  event_.data += value;
  has_data_ = true;
}

}  // namespace switchback
