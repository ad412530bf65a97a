// What others do on a follower's thread, or while it stands still.
#include <utility>

#include "common/log.hpp"
#include "service/follower.hpp"

namespace switchback {

Status Follower::Forget(const std::string& reason, std::chrono::milliseconds wait_max) {
  Detach(reason);
  return RunOnThread([this] { return CountForNothing(); }, wait_max);
}

Status Follower::Clear(const std::string& reason, std::chrono::milliseconds wait_max) {
  Detach(reason);
  return RunOnThread([this] { return BecomeNew(); }, wait_max);
}

Status Follower::MoveTo(const std::string& path, const std::function<Status()>& commit,
                        std::chrono::milliseconds wait_max) {
  Detach("legacy was let go: `switchback migrate start --reverse` fills a new one");
  const auto move = [&]() -> Status {
    if (fill_) EndFill();
    if (needs_reopen_) SB_RETURN_IF_ERROR(Reopen());
    SB_RETURN_IF_ERROR(backend_->MakeDurable());
    SB_RETURN_IF_ERROR(commit());
    return LeaveFor(path);
  };
  return RunOnThread(move, wait_max);
}

Status Follower::LeaveFor(const std::string& path) {
  Detach("another store takes its place");
  if (fill_) EndFill();
  SB_RETURN_IF_ERROR(backend_->MoveTo(path));
  {
    MutexLock lock(mutex_);
    path_ = path;
    is_foreign_ = false;
  }
  return ReadCommitted();
}

Status Follower::BeginEpoch(std::uint64_t epoch, std::uint64_t sequence) {
  if (committed_.log_id.empty() || committed_.is_filling) return {};
  StoreState state = StateAt(sequence);
  state.epoch = epoch;
  Status begun = backend_->Apply({}, state);
  if (!begun && begun.error().code == ErrorCode::kForeignWrite) {  // a copy that nobody adopted
    SB_RETURN_IF_ERROR(backend_->AcceptForeign());
    begun = backend_->Apply({}, state);
  }
  SB_RETURN_IF_ERROR(begun);
  SB_RETURN_IF_ERROR(backend_->MakeDurable());
  return ReadCommitted();
}

void Follower::Rejoin(const std::string& reason_if_detached) {
  log_reader_.reset();
  const bool is_filled = !committed_.log_id.empty() && !committed_.is_filling;
  const bool is_covered = is_filled && memtable_.Cover(options_.role, committed_.applied_sequence,
                                                       !committed_.is_partial());
  {
    MutexLock lock(mutex_);
    reason_ = is_filled ? "" : reason_if_detached;
    if (is_filled)
      state_.store(is_covered ? FollowerState::kInSync : FollowerState::kCatchingUp,
                   std::memory_order_release);
  }
  LogInfo("{} store: {} at batch {}", RoleName(options_.role), FollowerStateName(state()),
          committed_.applied_sequence);
  if (events_.on_state) events_.on_state();
}

Status Follower::RunTask(Task task, std::chrono::milliseconds wait_max) {
  const auto run = [this, task = std::move(task)]() -> Status {
    if (needs_reopen_) SB_RETURN_IF_ERROR(Reopen());
    return task(*backend_);
  };
  return RunOnThread(run, wait_max);
}

Status Follower::RunParked(const std::function<Status()>& task,
                           std::chrono::milliseconds wait_max) {
  Status outcome;
  SB_RETURN_IF_ERROR(RunOnThread(
      [&]() -> Status {
        outcome = task();
        return {};
      },
      wait_max));
  return outcome;
}

Status Follower::RunOnThread(std::function<Status()> task, std::chrono::milliseconds wait_max) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + wait_max;
  const auto busy = [this](const char* what) {
    return Fail(ErrorCode::kBusy, std::string(RoleName(options_.role)) + " store " + what);
  };
  MutexLock lock(mutex_);
  if (stop_) return Fail(ErrorCode::kCancelled, "the service is stopping");
  if (pending_task_)
    return Fail(ErrorCode::kConflict,
                std::string(RoleName(options_.role)) + " store has another operation under way");
  pending_task_ = PendingTask{std::move(task), TaskState::kWaiting, {}};
  has_task_.store(true, std::memory_order_release);
  wake_.NotifyAll();
  memtable_.Wake();
  while (pending_task_->state != TaskState::kDone) {
    // Once it runs it is waited for, however long: its outcome must be known.
    if (pending_task_->state == TaskState::kRunning) {
      wake_.Wait(mutex_);
    } else if (!wake_.WaitUntil(mutex_, deadline) && pending_task_->state == TaskState::kWaiting) {
      pending_task_.reset();
      has_task_.store(false, std::memory_order_release);
      return busy("does not answer");
    }
  }
  Status outcome = std::move(pending_task_->outcome);
  pending_task_.reset();
  return outcome;
}

void Follower::RunPendingTask() {
  std::function<Status()> task;
  {
    MutexLock lock(mutex_);
    has_task_.store(false, std::memory_order_release);
    if (!pending_task_ || pending_task_->state != TaskState::kWaiting) return;
    pending_task_->state = TaskState::kRunning;
    task = std::move(pending_task_->task);
  }
  Status outcome = task();
  if (!outcome) LogWarning("{} store: {}", RoleName(options_.role), outcome.error().message);
  NoteProgress();
  MutexLock lock(mutex_);
  pending_task_->outcome = std::move(outcome);
  pending_task_->state = TaskState::kDone;
  wake_.NotifyAll();
}

void Follower::CancelPendingTask() {
  MutexLock lock(mutex_);
  if (!pending_task_ || pending_task_->state != TaskState::kWaiting) return;
  pending_task_->outcome = Fail(ErrorCode::kCancelled, "the service is stopping");
  pending_task_->state = TaskState::kDone;
  wake_.NotifyAll();
}

// The filled range is empty from now on, whatever records are still there.
Status Follower::CountForNothing() {
  if (committed_.log_id.empty()) return {};  // there is nothing to forget
  if (needs_reopen_) SB_RETURN_IF_ERROR(Reopen());
  StoreState nothing = StateAt(0);
  nothing.is_filling = true;
  nothing.collections.clear();
  SB_RETURN_IF_ERROR(Apply({}, nothing));
  return backend_->MakeDurable();
}

Status Follower::BecomeNew() {
  if (fill_) EndFill();
  SB_RETURN_IF_ERROR(backend_->Reset());
  return ReadCommitted();
}

// Of a store that is not what it was.
Status Follower::ReadCommitted() {
  auto committed = backend_->State();
  if (!committed) return Fail(committed.error());
  SetCommitted(*committed);
  applied_sequence_.store(committed_.applied_sequence, std::memory_order_release);
  durable_sequence_.store(committed_.applied_sequence, std::memory_order_release);
  needs_reopen_ = false;
  has_commit_to_sync_ = false;
  has_sync_failed_ = false;
  return {};
}

}  // namespace switchback
