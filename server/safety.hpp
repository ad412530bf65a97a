// What watches over the running service and takes it back to legacy: latch, guard, rollbacks, the
// comparison of both roles. Wired together here, so that serve.cpp only has to place it.
#pragma once

#include <memory>
#include <string>

#include "flags/flag_watcher.hpp"
#include "migration/journal.hpp"
#include "migration/verifier.hpp"
#include "rollback/guard/guard.hpp"
#include "rollback/guard/start_watch.hpp"
#include "rollback/metrics_history.hpp"
#include "rollback/rollback_manager.hpp"
#include "server/flag_history.hpp"
#include "server/notification_source.hpp"
#include "service/db_service.hpp"
#include "service/event_hub.hpp"

namespace switchback {

struct SafetyParts {
  DbService& service;
  Journal& journal;
  EventHub& events;
  NotificationSource& notifications;
  const Verifier& verifier;
  const Clock& clock;
};

struct SafetyOptions {
  std::string data_dir;
  std::string flags_path;
  GuardSettings guard;
};

// Belongs to one thread, but for its parts, which are thread-safe.
class Safety {
 public:
  // Before any flag is published: what was latched holds from the first request on.
  Safety(SafetyParts parts, SafetyOptions options);
  ~Safety() { Stop(); }
  Safety(const Safety&) = delete;
  Safety& operator=(const Safety&) = delete;

  // Of each load of the flags file, on the watcher's thread.
  void OnFlags(const FlagSnapshot& flags) {
    rollbacks_->OnFlags(flags);
    flag_history_.OnLoad(flags);
  }
  // Once flags are watched; `watcher` outlives it.
  void Start(FlagWatcher& watcher);
  // Before the service is closed, and before `watcher` stops.
  void Stop();

  // The end of an operation: one that failed in a way that leaves in doubt what is served begins
  // safe mode. Never blocks for long; may come from under the journal's lock.
  void OnOperation(const OperationRecord& operation);
  // Takes writes again and checks the service. kNotFound: safe mode is not on, or another number.
  // kUnavailable: the service is not well, and safe mode is on again.
  Status LeaveSafeMode(std::uint64_t id, const std::string& actor, const std::string& reason);

  void Audit(const std::string& actor, const std::string& action, const std::string& detail);

  [[nodiscard]] Guard& guard() { return *guard_; }
  [[nodiscard]] Latch& latch() { return *latch_; }
  [[nodiscard]] Latch& safe_mode() { return *safe_mode_; }
  [[nodiscard]] RollbackManager& rollbacks() { return *rollbacks_; }
  [[nodiscard]] const MetricsHistory& history() const { return *history_; }

 private:
  [[nodiscard]] GuardHooks Hooks();
  [[nodiscard]] std::vector<EvidenceFile> CollectEvidence() const;

  const SafetyParts parts_;
  const SafetyOptions options_;
  FlagWatcher* watcher_ = nullptr;
  bool is_started_ = false;
  FlagHistory flag_history_;
  std::unique_ptr<Latch> latch_;
  std::unique_ptr<Latch> safe_mode_;
  std::unique_ptr<StartWatch> start_watch_;
  std::unique_ptr<MetricsHistory> history_;
  std::unique_ptr<RollbackManager> rollbacks_;
  std::unique_ptr<Guard> guard_;
};

}  // namespace switchback
