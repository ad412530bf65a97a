// Runs a program of the operator's for each notification: no shell, the event as JSON on its
// standard input.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "rollback/notify/sink.hpp"

namespace switchback {

struct CommandOptions {
  std::vector<std::string> argv;  // the first one an absolute path
  std::chrono::milliseconds time_max{10'000};
};

// Exit code 0 is delivered, anything else worth another attempt. Past its time the program and what
// it has started in its process group are killed. It has of the environment PATH, HOME, USER, LANG,
// LC_ALL, TZ and TMPDIR, so that it inherits no secrets, and SWITCHBACK_NOTIFICATION_ID, _KIND and
// _SEVERITY; the root as its working directory as any daemon has. What it writes to stdout is
// dropped, the end of what it writes to stderr is in the outcome.
class CommandSink final : public NotificationSink {
 public:
  static constexpr std::size_t kErrorTextBytesMax = 1024;

  explicit CommandSink(CommandOptions options) : options_(std::move(options)) {}

  SinkOutcome Send(const Notification& notification,
                   const std::function<bool()>& is_cancelled) override;
  [[nodiscard]] const char* kind() const override { return "command"; }
  [[nodiscard]] std::string target() const override { return options_.argv.front(); }

 private:
  const CommandOptions options_;
};

}  // namespace switchback
