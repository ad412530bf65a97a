// One JSON object a line of the log: time (UTC, to the millisecond), level, message.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace switchback {

// The message may hold anything: quotes, line breaks, escape sequences of terminals, bytes that are
// no UTF-8 (they become U+FFFD). The line is printable ASCII whatever it is.
class JsonLogFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override;
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace switchback
