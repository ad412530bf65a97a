// Reads the flags file, judges what it finds and publishes the outcome. It knows nothing of threads
// or of time: FlagWatcher says when.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "flags/file_state.hpp"
#include "flags/flag_store.hpp"

namespace switchback {

// Called with each snapshot that a load published.
using FlagLoadCallback = std::function<void(std::shared_ptr<const FlagSnapshot>)>;

// Used by one thread, but for reload_failures(). Blocks for the disk only.
//
// (1) Flags change only by valid content: a file that is absent, unreadable, half-written or wrong
//     leaves them as they are and says so in the snapshot's `warning`.
// (2) `revision` grows by one with each change of valid content, `load_count` with each read that
//     an event, a caller or a changed stat asked for.
class FlagLoader {
 public:
  // `store` outlives the loader. `on_load` may be empty.
  FlagLoader(std::string path, FlagStore& store, FlagLoadCallback on_load);

  // Reads the file whatever its stat says and publishes, also when the content is the same or
  // broken. A file that cannot be read, or is not there, publishes once, with a warning. The error
  // is why the file is not in force: kNotFound, kIo, kTooLarge, kUnsupported, kInvalidArgument,
  // kBusy.
  Status Load();

  // Loads if the file changed since the last read: device, inode, size or times differ. For two
  // calls after each change it compares the content as well, since a second change within the same
  // tick of the file system's clock leaves the times as they are. Publishes nothing when nothing
  // changed.
  void Check();

  // How many times the file could not be read or its content was rejected, each broken state
  // counted once. A file that is not there is no failure. Any thread.
  [[nodiscard]] std::uint64_t reload_failures() const {
    return reload_failures_.load(std::memory_order_relaxed);
  }

 private:
  Status Accept(FileContent file);
  Status Reject(FlagSnapshot next, const Error& error, bool is_new);
  Status OnReadError(const Error& error);
  // `error`, and what follows from it for the flags in force.
  [[nodiscard]] std::string WarningFor(const Error& error) const;
  void Publish(FlagSnapshot next);

  const std::string path_;
  FlagStore& store_;
  const FlagLoadCallback on_load_;
  std::shared_ptr<const FlagSnapshot> snapshot_;  // the last published
  std::optional<FileContent>
      last_read_;             // nullopt after a failed read: then every Check tries again
  std::string good_content_;  // what snapshot_->flags came from
  int rechecks_left_ = 0;
  std::atomic<std::uint64_t> reload_failures_{0};
};

}  // namespace switchback
