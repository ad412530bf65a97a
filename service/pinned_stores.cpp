#include "service/pinned_stores.hpp"

#include <thread>
#include <vector>

#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "service/db_service_impl.hpp"

namespace switchback {
namespace {

constexpr std::chrono::microseconds kPinPoll{200};

}  // namespace

Result<PinnedStores> DbService::PinStores(std::chrono::milliseconds /*wait_max*/) {
  return Fail(ErrorCode::kUnsupported, "this service cannot show its stores at one batch");
}

// Waits until each of `roles` has applied the log up to `sequence`.
Status DbServiceImpl::ReachAll(const std::vector<Role>& roles, std::uint64_t sequence,
                               SteadyTime deadline) {
  for (const Role role : roles) follower(role).Hurry(sequence);
  for (const Role role : roles) {
    const Follower& store = follower(role);
    while (store.applied_sequence() < sequence || !store.is_in_sync()) {
      const bool is_late = std::chrono::steady_clock::now() >= deadline;
      const bool has_left = !store.is_in_sync() && store.state() != FollowerState::kCatchingUp;
      if (is_late || has_left)
        return Fail(ErrorCode::kBusy, std::string(RoleName(role)) + " store is " +
                                          FollowerStateName(store.state()) + " at batch " +
                                          std::to_string(store.applied_sequence()) + " of " +
                                          std::to_string(sequence) + ": try again later");
      std::this_thread::sleep_for(kPinPoll);
    }
  }
  return {};
}

// First everything that is there now, with the stores free to go on: so the moment for which they
// are held is one small transaction. Held at 0 before the memtable is closed, no store gets past
// the batch at which it is closed.
Result<PinnedStores> DbServiceImpl::OpenPins(const std::vector<Role>& in_service,
                                             SteadyTime deadline) {
  SB_RETURN_IF_ERROR(ReachAll(in_service, memtable_->last_sequence(), deadline));
  PinnedStores pinned;
  pinned.release.reset(new std::function<void()>([this] {
    for (const Role role : kRoles) follower(role).LetGo();
  }));
  for (const Role role : in_service) follower(role).HoldAt(0, /*is_strict=*/true);
  pinned.sequence = memtable_->Seal();
  for (const Role role : in_service) follower(role).HoldAt(pinned.sequence, /*is_strict=*/true);
  SB_RETURN_IF_ERROR(Failpoint("service.pin"));
  SB_RETURN_IF_ERROR(ReachAll(in_service, pinned.sequence, deadline));
  pinned.log_id = log_->log_id();
  pinned.epoch = log_->epoch();
  for (const Role role : in_service) {
    auto view = follower(role).backend().NewReadView();
    if (!view) return Fail(view.error());
    SB_RETURN_IF_ERROR((*view)->Begin());
    const auto state = (*view)->State();
    if (!state) return Fail(state.error());
    // A store that failed just now may have been opened anew, further behind.
    if (state->applied_sequence != pinned.sequence || state->is_filling)
      return Fail(ErrorCode::kBusy, std::string(RoleName(role)) + " store stands at batch " +
                                        std::to_string(state->applied_sequence) + ", not at " +
                                        std::to_string(pinned.sequence) + ": try again later");
    pinned.views[Index(role)] = *std::move(view);
  }
  for (const Role role : in_service) follower(role).HoldAt(pinned.sequence, /*is_strict=*/false);
  return pinned;
}

Result<PinnedStores> DbServiceImpl::PinStores(std::chrono::milliseconds wait_max) {
  if (is_pinning_.exchange(true))
    return Fail(ErrorCode::kConflict, "the stores are pinned by another operation");
  const SteadyTime deadline = std::chrono::steady_clock::now() + wait_max;
  std::vector<Role> in_service;
  std::array<std::string, kRoleCount> absences;
  for (const Role role : kRoles) {
    const FollowerState state = follower(role).state();
    if (state == FollowerState::kInSync || state == FollowerState::kCatchingUp) {
      in_service.push_back(role);
      continue;
    }
    const FollowerStatus status = follower(role).GetStatus(memtable_->last_sequence());
    absences[Index(role)] =
        std::string(FollowerStateName(state)) + (status.reason.empty() ? "" : ": " + status.reason);
  }
  auto pinned = in_service.empty()
                    ? Result<PinnedStores>(Fail(ErrorCode::kUnavailable, "no store is in service"))
                    : OpenPins(in_service, deadline);
  if (!pinned) {
    is_pinning_ = false;
    return pinned;
  }
  pinned->absences = absences;
  auto let_go = *pinned->release;
  *pinned->release = [this, let_go] {
    let_go();
    is_pinning_ = false;
  };
  return pinned;
}

}  // namespace switchback
