// Turns what happens in the server into notifications: ends of operations in the journal, verifies,
// and what the guard finds. Which of them goes where is the notifier's business.
#pragma once

#include <optional>
#include <string>

#include "common/sync.hpp"
#include "migration/journal.hpp"
#include "migration/verify_status.hpp"
#include "rollback/guard/guard.hpp"
#include "rollback/guard/guard_machine.hpp"
#include "rollback/latch.hpp"
#include "rollback/notify/notifier.hpp"

namespace switchback {

// What is to be told of a change of an operation; nullopt: nothing. Pure, as all of these; id, time
// and source are the notifier's.
[[nodiscard]] std::optional<Notification> OperationNotification(const OperationRecord& operation);
[[nodiscard]] std::optional<Notification> VerifyNotification(const VerifyStatus& verify);
// `latched`: what holds since; nullopt: nothing does.
[[nodiscard]] Notification TripNotification(const GuardTrip& trip,
                                            const std::optional<Latched>& latched);
[[nodiscard]] Notification AlertNotification(const GuardAlert& alert);
[[nodiscard]] Notification ProposalNotification(const GuardProposal& proposal);
// The service restricts itself, as after too many crashes or a restore that failed half-way.
[[nodiscard]] Notification SafeModeNotification(const std::string& reason);

// Thread-safe; its calls never block, so that they may come from under locks.
class NotificationSource {
 public:
  // `notifier` outlives it.
  explicit NotificationSource(Notifier& notifier) : notifier_(notifier) {}

  // Each change, as Journal::Listener has it.
  void OnOperation(const OperationRecord& operation);
  // The end of a verify or of a pass of a continuous one; the same finding of one pass after the
  // other is told once.
  void OnVerifyEnd(const VerifyStatus& verify) SB_EXCLUDES(mutex_);
  void OnTrip(const GuardTrip& trip, const std::optional<Latched>& latched) {
    notifier_.Publish(TripNotification(trip, latched));
  }
  void OnAlert(const GuardAlert& alert) { notifier_.Publish(AlertNotification(alert)); }
  void OnProposal(const GuardProposal& proposal) {
    notifier_.Publish(ProposalNotification(proposal));
  }
  void OnSafeMode(const std::string& reason) { notifier_.Publish(SafeModeNotification(reason)); }

 private:
  Notifier& notifier_;
  Mutex mutex_;
  std::string last_finding_ SB_GUARDED_BY(mutex_);
};

}  // namespace switchback
