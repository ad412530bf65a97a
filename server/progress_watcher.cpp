#include "server/progress_watcher.hpp"

#include <utility>

namespace switchback {
namespace {

using Json = nlohmann::ordered_json;
using RealTime = std::chrono::steady_clock;

}  // namespace

ProgressWatcher::ProgressWatcher(EventHub& hub, std::vector<ProgressSource> sources) : hub_(hub) {
  for (ProgressSource& source : sources) watched_.push_back({std::move(source), {}});
}

void ProgressWatcher::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ProgressWatcher::Stop() {
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ProgressWatcher::Poke() {
  const MutexLock lock(mutex_);
  is_poked_ = true;
  wake_.NotifyAll();
}

void ProgressWatcher::Run() {
  while (AwaitLook()) LookNow();
}

bool ProgressWatcher::AwaitLook() {
  const bool is_watched = hub_.subscriber_count() > 0;
  const MutexLock lock(mutex_);
  const SteadyTime due = RealTime::now() + kInterval;
  if (is_watched) active_until_ = RealTime::now() + kLinger;
  while (!is_stopping_) {
    if (RealTime::now() >= active_until_) {
      wake_.Wait(mutex_);  // until the next Look
    } else if (is_poked_ || !wake_.WaitUntil(mutex_, due)) {
      break;
    }
  }
  is_poked_ = false;
  return !is_stopping_;
}

ProgressWatcher::Present ProgressWatcher::Look() {
  {
    const MutexLock lock(mutex_);
    active_until_ = RealTime::now() + kLinger;
    wake_.NotifyAll();
  }
  return LookNow();
}

ProgressWatcher::Present ProgressWatcher::LookNow() {
  const MutexLock lock(look_mutex_);
  // Taken first: what happens during the look is told again rather than not at all.
  Present present{hub_.last_number(), {}};
  Json state = Json::object();
  for (Watched& watched : watched_) {
    LookAt(watched);
    if (!watched.last) continue;
    Json& of_topic = state[watched.source.topic];
    (watched.source.part.empty() ? of_topic : of_topic[watched.source.part]) = *watched.last;
  }
  present.state = state.dump(-1, ' ', false, Json::error_handler_t::replace);
  const MutexLock state_lock(state_mutex_);
  state_ = present.state;
  return present;
}

// The first look of all is the beginning of the news, and none itself.
void ProgressWatcher::LookAt(Watched& watched) {
  std::vector<Json> seen = watched.source.look();
  if (!watched.last) {
    if (!seen.empty()) watched.last = std::move(seen.back());
    return;
  }
  for (Json& data : seen) {
    if (*watched.last == data) continue;
    hub_.Publish(watched.source.topic, data);
    watched.last = std::move(data);
  }
}

std::string ProgressWatcher::state() const {
  const MutexLock lock(state_mutex_);
  return state_;
}

}  // namespace switchback
