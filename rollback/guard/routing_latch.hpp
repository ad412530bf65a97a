// Keeps every key on legacy whatever the flags say, also over restarts, until somebody lets go:
// what a guard that tripped, a crash loop or an operator wants.
//
// In a file of its own, <data-dir>/guard.json, so that it holds when nothing else can be read. A
// file that cannot be read holds, too: when in doubt, legacy.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "common/sync.hpp"
#include "service/db_service.hpp"

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

// Thread-safe.
class RoutingLatch {
 public:
  // Engages what the file says. Before any flag is published; `service` and `clock` outlive it.
  static std::unique_ptr<RoutingLatch> Open(const std::string& path, DbService& service,
                                            const Clock& clock);

  // In force at once and durable on return; gives what is engaged then. An operator's word does not
  // replace one that is engaged already. An error means that it is in force and would not outlive a
  // restart.
  Result<Latched> Engage(const std::string& cause, const std::string& reason,
                         const std::string& detail) SB_EXCLUDES(mutex_);
  // The flags count again. kNotFound: nothing is engaged, or not that one.
  Status Release(std::uint64_t id) SB_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<Latched> Current() const SB_EXCLUDES(mutex_);

 private:
  RoutingLatch(std::string path, DbService& service, const Clock& clock)
      : path_(std::move(path)), service_(service), clock_(clock) {}
  void Load() SB_EXCLUDES(mutex_);
  Status Store() SB_REQUIRES(mutex_);

  const std::string path_;
  DbService& service_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::uint64_t last_id_ SB_GUARDED_BY(mutex_) = 0;
  std::optional<Latched> latched_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
