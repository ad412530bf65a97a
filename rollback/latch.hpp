// Holds something back until a person lets go, also over restarts: all keys on legacy whatever the
// flags say (after a guard's trip, a crash loop, an operator's word), or all writes (safe mode).
//
// In a file of its own, so that it holds when nothing else can be read. A file that cannot be read
// holds, too: when in doubt, the safe side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "rollback/latch_file.hpp"

namespace switchback {

inline constexpr const char* kLatchByGuard = "guard";
inline constexpr const char* kLatchByCrashLoop = "crash-loop";
inline constexpr const char* kLatchByOperator = "operator";

struct Latched {
  std::uint64_t id = 0;  // counts the times it was engaged; whoever lets go names it
  std::string cause;
  std::string time;    // UTC, ISO 8601
  std::string reason;  // for people
  std::string detail;  // JSON object: what led to it
};

struct LatchOptions {
  std::string path;
  // Puts the reason into force, "" ends it. Called under the latch's lock; must not block.
  std::function<void(const std::string& reason)> hold;
  // For the log and for people: "every key goes to legacy", "writes are refused".
  std::string effect;
};

// Thread-safe.
class Latch {
 public:
  // Engages what the file says. Before whatever it holds back may begin; `clock` outlives it.
  static std::unique_ptr<Latch> Open(LatchOptions options, const Clock& clock);

  // In force at once and durable on return; gives what is engaged then. An operator's word does not
  // replace one that is engaged already. An error means that it is in force and would not outlive a
  // restart.
  Result<Latched> Engage(const std::string& cause, const std::string& reason,
                         const std::string& detail) SB_EXCLUDES(mutex_);
  // Ends it. kNotFound: nothing is engaged, or not that one.
  Status Release(std::uint64_t id) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<Latched> Current() const SB_EXCLUDES(mutex_);

 private:
  Latch(LatchOptions options, const Clock& clock)
      : options_(std::move(options)), file_(options_.path), clock_(clock) {}
  void Load() SB_EXCLUDES(mutex_);
  Status Store() SB_REQUIRES(mutex_);

  const LatchOptions options_;
  const LatchFile file_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::uint64_t last_id_ SB_GUARDED_BY(mutex_) = 0;
  std::optional<Latched> latched_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
