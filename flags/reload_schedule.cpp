#include "flags/reload_schedule.hpp"

#include <algorithm>

namespace switchback {

void ReloadSchedule::OnEvent(FolderEvent event, SteadyTime now) {
  switch (event) {
    case FolderEvent::kNone: return;
    case FolderEvent::kReady: read_at_ = now; return;
    case FolderEvent::kTouched:
      // Each touch begins the quiet anew. A folder that is never quiet is looked at by the poll. A
      // read that is due already stays due.
      if (!read_at_ || *read_at_ > now) read_at_ = now + kReloadQuiet;
      return;
  }
}

ReloadStep ReloadSchedule::TakeStep(SteadyTime now) {
  const bool is_read_due = read_at_ && *read_at_ <= now;
  const bool is_poll_due = next_poll_ <= now;
  if (is_read_due) read_at_.reset();
  // A read is as good as a poll, but the poll keeps its own beat: events must not put it off.
  if (is_poll_due) next_poll_ = now + kReloadPollInterval;
  if (is_read_due) return ReloadStep::kRead;
  return is_poll_due ? ReloadStep::kCheck : ReloadStep::kWait;
}

std::chrono::nanoseconds ReloadSchedule::TimeToNextStep(SteadyTime now) const {
  const SteadyTime next = read_at_ ? std::min(*read_at_, next_poll_) : next_poll_;
  return std::max(next - now, SteadyTime::duration::zero());
}

}  // namespace switchback
