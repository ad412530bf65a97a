// Looks at what goes on, several times a second while somebody watches, and publishes what has
// changed: one mechanism instead of a hook in everything that makes progress.
//
// What comes and goes between two looks is seen all the same where the source remembers it (the
// stages of a backup), or where the journal tells of it (the beginning and end of operations).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/sync.hpp"
#include "service/event_hub.hpp"

namespace switchback {

// Something to look at.
struct ProgressSource {
  std::string topic;
  std::string part;  // within the topic's state, as "legacy"; "" = it is all of it
  // What is to be published if it is not what was published last: the newest state at the end,
  // before it what was passed on the way. Nothing: as before. Called by one thread at a time.
  std::function<std::vector<nlohmann::ordered_json>()> look;
};

// Thread-safe, but for Start and Stop, which belong to the owner.
class ProgressWatcher {
 public:
  // So often it looks, and so long it goes on when nobody watches any more: whoever reconnects in
  // that time has missed nothing.
  static constexpr std::chrono::milliseconds kInterval{200};
  static constexpr std::chrono::seconds kLinger{30};

  // `hub` outlives it.
  ProgressWatcher(EventHub& hub, std::vector<ProgressSource> sources);
  ~ProgressWatcher() { Stop(); }
  ProgressWatcher(const ProgressWatcher&) = delete;
  ProgressWatcher& operator=(const ProgressWatcher&) = delete;

  void Start();
  void Stop() SB_EXCLUDES(mutex_);

  struct Present {
    std::uint64_t number = 0;  // the state holds at least what the events up to this one say
    std::string state;         // a JSON object in one line: topic -> data
  };
  // Looks now, publishes what has changed, and goes on looking for a while. Blocks as the sources
  // do, for some milliseconds as a rule.
  Present Look() SB_EXCLUDES(look_mutex_, mutex_);
  // The state as of the last look, at once.
  [[nodiscard]] std::string state() const SB_EXCLUDES(state_mutex_);
  // Something has begun or ended: look soon, if somebody watches. Never blocks.
  void Poke() SB_EXCLUDES(mutex_);

 private:
  struct Watched {
    ProgressSource source;
    std::optional<nlohmann::ordered_json> last;
  };
  void Run();
  // False when it is to end.
  bool AwaitLook() SB_EXCLUDES(mutex_);
  Present LookNow() SB_EXCLUDES(look_mutex_, state_mutex_);
  void LookAt(Watched& watched) SB_REQUIRES(look_mutex_);

  EventHub& hub_;

  Mutex look_mutex_;
  std::vector<Watched> watched_ SB_GUARDED_BY(look_mutex_);

  mutable Mutex state_mutex_;
  std::string state_ SB_GUARDED_BY(state_mutex_) = "{}";

  Mutex mutex_;
  CondVar wake_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  bool is_poked_ SB_GUARDED_BY(mutex_) = false;
  SteadyTime active_until_ SB_GUARDED_BY(mutex_){};
  std::thread thread_;
};

}  // namespace switchback
