// When to read the flags file: pure logic of events and times, without files or clocks.
#pragma once

#include <chrono>
#include <optional>

#include "common/clock.hpp"
#include "flags/folder_watch.hpp"

namespace switchback {

// How long a folder must be quiet before an unfinished change is looked at. An editor that deletes
// and then makes the file is done by then; a flip must show within 50 ms.
inline constexpr std::chrono::milliseconds kReloadQuiet{15};

// The poll beside inotify, which never gives up: remote file systems have no inotify, a watch can
// be lost with its folder.
inline constexpr std::chrono::milliseconds kReloadPollInterval{1000};

enum class ReloadStep {
  kWait,   // nothing to do yet
  kCheck,  // see whether the file's stat changed, read it if so
  kRead,   // read the file whatever its stat says
};

// Used by one thread.
class ReloadSchedule {
 public:
  explicit ReloadSchedule(SteadyTime now) : next_poll_(now + kReloadPollInterval) {}

  void OnEvent(FolderEvent event, SteadyTime now);

  // What is due at `now`. It counts as done when this returns.
  ReloadStep TakeStep(SteadyTime now);

  // How long nothing will be due, at least zero.
  [[nodiscard]] std::chrono::nanoseconds TimeToNextStep(SteadyTime now) const;

 private:
  SteadyTime next_poll_;
  std::optional<SteadyTime> read_at_;
};

}  // namespace switchback
