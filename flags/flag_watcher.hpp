// Keeps the flag store in step with the flags file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/clock.hpp"
#include "common/file.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "flags/flag_loader.hpp"
#include "flags/flag_store.hpp"
#include "flags/folder_watch.hpp"
#include "flags/reload_schedule.hpp"

namespace switchback {

// Own thread: inotify on the folder, and a 1 s poll that never gives up. Thread-safe, but for Start
// and Stop, which belong to the owner. From a rename over the file to the published snapshot it
// takes about a millisecond; a broken or missing file keeps the last good flags (FlagLoader).
class FlagWatcher {
 public:
  // `store` and `clock` outlive the watcher. `on_load` is called on the watcher's thread with each
  // snapshot it published: after each read of the file that something asked for, also when the
  // content was the same or broken, and when the file has gone. It must not call this watcher, and
  // while it runs no change is seen.
  FlagWatcher(std::string path, FlagStore& store, FlagLoadCallback on_load, const Clock& clock);
  ~FlagWatcher();  // Stop()
  FlagWatcher(const FlagWatcher&) = delete;
  FlagWatcher& operator=(const FlagWatcher&) = delete;

  // Starts the thread and returns once it has loaded the file for the first time, or has found that
  // there is none. Once in a watcher's life.
  void Start() SB_EXCLUDES(mutex_);
  // Ends the thread; a waiting ReloadNow gets kCancelled. Fine more than once, and before Start.
  void Stop() SB_EXCLUDES(mutex_);

  // Reads the file now; on return its content, as it was when this was called or later, is
  // published and on_load has been called. Blocks for the disk and for on_load. Not from on_load.
  // Errors: why the file is not in force (kNotFound, kInvalidArgument, ...); kCancelled when not
  // running.
  Status ReloadNow() SB_EXCLUDES(mutex_);

  // See FlagLoader::reload_failures().
  [[nodiscard]] std::uint64_t reload_failures() const { return loader_.reload_failures(); }

 private:
  void Run();
  // Blocks until an event, a request, Stop or the next step's time. False when to stop.
  bool WaitForWork();
  void Reload(ReloadStep step);
  void Wake();

  const Clock& clock_;
  FlagLoader loader_;        // the thread's own
  FolderWatch watch_;        // the thread's own
  ReloadSchedule schedule_;  // the thread's own
  UniqueFd wake_;            // eventfd: a request or Stop waits
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  bool is_running_ SB_GUARDED_BY(mutex_) = false;
  std::thread::id thread_id_ SB_GUARDED_BY(mutex_);
  // Requests are tickets: a load serves all tickets drawn before it began.
  std::uint64_t tickets_drawn_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t tickets_served_ SB_GUARDED_BY(mutex_) = 0;
  Status last_load_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
