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
#include "rollback/latch.hpp"
#include "service/db_service.hpp"

namespace switchback {

// A rollback that waits for a person.
struct GuardProposal {
  std::uint64_t id = 0;  // counts them since start
  GuardTrip trip;
  WallTime time{};
  std::optional<SteadyTime> acts_at;  // nobody has said no by then: it goes back. nullopt: never
};

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
  std::function<void(const GuardProposal& proposal)> on_proposal;
  std::function<void()> on_look;  // each time, also where the guard is off
};

struct GuardStatus {
  // "off": it does not watch. "watching". "tripped": latched. "waiting": it has tripped, and legacy
  // is not in sync. "proposed": it waits for a person.
  std::string state;
  GuardEscalation escalation = GuardEscalation::kAutomatic;
  std::optional<GuardProposal> proposal;
  std::optional<std::chrono::seconds> acts_in;  // unless somebody dismisses the proposal
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
  Guard(DbService& service, Latch& latch, const Clock& clock, GuardSettings settings,
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
  // Goes back as proposed. kNotFound: that is not proposed now. kRefused: legacy is not in sync; it
  // is gone back to once it is.
  Status Confirm(std::uint64_t proposal) SB_EXCLUDES(mutex_);
  // Nothing is done, and what was gathered counts for nothing. kNotFound as above.
  Status Dismiss(std::uint64_t proposal) SB_EXCLUDES(mutex_);
  [[nodiscard]] GuardStatus GetStatus() const SB_EXCLUDES(mutex_);
  [[nodiscard]] const GuardSettings& settings() const { return settings_; }

 private:
  GuardSample Sample() SB_REQUIRES(mutex_);
  void Act(const GuardVerdict& verdict) SB_REQUIRES(mutex_);
  void Escalate(const GuardTrip& trip) SB_REQUIRES(mutex_);
  void Propose(const GuardTrip& trip, std::optional<SteadyTime> acts_at) SB_REQUIRES(mutex_);
  void ActIfDue() SB_REQUIRES(mutex_);
  Status CheckProposed(std::uint64_t proposal) const SB_REQUIRES(mutex_);
  [[nodiscard]] bool GoesToUnified() const;
  void GoBack(const GuardTrip& trip) SB_REQUIRES(mutex_);
  void Alert(const GuardAlert& alert) SB_REQUIRES(mutex_);
  void Run();

  DbService& service_;
  Latch& latch_;
  const Clock& clock_;
  const GuardSettings settings_;
  const GuardHooks hooks_;

  mutable Mutex mutex_;
  CondVar wake_;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  GuardMachine machine_ SB_GUARDED_BY(mutex_);
  std::optional<GuardTrip> waiting_ SB_GUARDED_BY(mutex_);  // for legacy to be in sync
  std::optional<GuardProposal> proposal_ SB_GUARDED_BY(mutex_);
  std::uint64_t proposals_ SB_GUARDED_BY(mutex_) = 0;
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
