// The guard of a running service: samples what both roles do, lets the machine judge, and sends
// every key back to legacy when it trips. Its own thread; what it costs a read is nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.hpp"
#include "common/sync.hpp"
#include "rollback/guard/guard_machine.hpp"
#include "rollback/guard/routing_latch.hpp"
#include "service/db_service.hpp"

namespace switchback {

// What it needs of others, and whom it tells. Each may be empty; called on the guard's thread, must
// not block for long and must not call the guard.
struct GuardHooks {
  struct Compared {
    std::uint64_t records = 0;
    std::uint64_t differences = 0;
  };
  std::function<Compared()> verified;           // by a verify
  std::function<std::uint64_t()> memory_bytes;  // resident
  std::function<void(const GuardTrip& trip, const std::optional<Latched>& latched)> on_trip;
  std::function<void(const GuardAlert& alert)> on_alert;
  std::function<void()> on_look;  // each time, also where the guard is off
};

struct GuardStatus {
  // "off": it does not watch. "watching". "tripped": latched. "waiting": it has tripped, and legacy
  // is not in sync.
  std::string state;
  bool is_dry_run = false;
  std::optional<Latched> latched;
  std::vector<GuardStreamStatus> streams;
  double ramp_sum = 0;
  bool holds_ramp = false;
  std::vector<GuardAlert> alerts;  // the newest last, a bounded number
  std::uint64_t trips = 0;         // since start, dry runs not counted
  std::uint64_t dry_trips = 0;
};

// Thread-safe.
class Guard {
 public:
  // `service`, `latch` and `clock` outlive it.
  Guard(DbService& service, RoutingLatch& latch, const Clock& clock, GuardSettings settings,
        GuardHooks hooks);
  ~Guard() { Stop(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  void Start();
  void Stop() SB_EXCLUDES(mutex_);
  // One look; the thread takes one each 100 ms. Tests call it without a thread.
  void Look() SB_EXCLUDES(mutex_);

  // Lets go of what tripped, which the caller has to name, and begins anew. kNotFound.
  Status Rearm(std::uint64_t trip) SB_EXCLUDES(mutex_);
  [[nodiscard]] GuardStatus GetStatus() const SB_EXCLUDES(mutex_);
  [[nodiscard]] const GuardSettings& settings() const { return settings_; }

 private:
  GuardSample Sample() SB_REQUIRES(mutex_);
  void Act(const GuardVerdict& verdict) SB_REQUIRES(mutex_);
  void GoBack(const GuardTrip& trip) SB_REQUIRES(mutex_);
  void Alert(const GuardAlert& alert) SB_REQUIRES(mutex_);
  void Run();

  DbService& service_;
  RoutingLatch& latch_;
  const Clock& clock_;
  const GuardSettings settings_;
  const GuardHooks hooks_;

  mutable Mutex mutex_;
  CondVar wake_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  GuardMachine machine_ SB_GUARDED_BY(mutex_);
  std::optional<GuardTrip> waiting_ SB_GUARDED_BY(mutex_);  // for legacy to be in sync
  std::vector<GuardAlert> alerts_ SB_GUARDED_BY(mutex_);
  std::uint64_t trips_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t dry_trips_ SB_GUARDED_BY(mutex_) = 0;
  GuardHooks::Compared verified_before_ SB_GUARDED_BY(mutex_);
  std::uint64_t compared_ SB_GUARDED_BY(mutex_) = 0;
  std::uint64_t mismatches_ SB_GUARDED_BY(mutex_) = 0;
  SteadyTime memory_at_ SB_GUARDED_BY(mutex_){};
  std::uint64_t memory_bytes_ SB_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace switchback
