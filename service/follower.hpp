// A follower: a store and the thread that applies the log to it, at its own pace, in large
// transactions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "backends/backend.hpp"
#include "common/clock.hpp"
#include "common/sync.hpp"
#include "service/commit_log.hpp"
#include "service/db_service.hpp"
#include "service/fill.hpp"
#include "service/memtable.hpp"
#include "service/metrics.hpp"

namespace switchback {

struct FollowerOptions {
  Role role = Role::kLegacy;
  std::string path;       // for people
  bool is_eager = false;  // apply and sync at once: --ack stores
  // What goes into a transaction; when catching up the limits only.
  Gathering gathering{std::chrono::milliseconds(2000), std::chrono::milliseconds(100),
                      kApplyBytesMax, kApplyRecordCountMax};
  std::chrono::milliseconds durable_interval{
      5000};  // at most this long, and this much of the log, is applied but not durable
  std::uint64_t durable_log_bytes = 64ull << 20;
  const Clock* clock = &SystemClock();
};

// Thread-safe except for Start and Stop.
class Follower {
 public:
  // What it asks of and tells its service. Called on the follower's thread, without its locks.
  struct Events {
    std::function<void()> on_durable;  // durable_sequence() moved
    std::function<void()> on_state;    // state() changed
    std::function<Status()> may_fill;  // an error says what a fill of this store has to wait for
  };

  Follower(FollowerOptions options, std::unique_ptr<Backend> backend, CommitLog& log,
           Memtable& memtable, CollectionCatalog& catalog, std::shared_ptr<MetricsBlock> metrics,
           Events events);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Where to begin: kDetached, kCatchingUp (the store holds the log up to `committed`) or
  // kBackfilling (a fill to be resumed). A store that the memtable covers is in sync from here on,
  // so all stores are placed before any starts: what the first to apply has applied would leave the
  // memtable.
  void Place(FollowerState state, const StoreState& committed, std::string reason)
      SB_EXCLUDES(mutex_);
  void Start();
  // Ends the thread after the transaction at hand. Does not drain.
  void Stop() SB_EXCLUDES(mutex_);

  [[nodiscard]] FollowerState state() const { return state_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_in_sync() const { return state() == FollowerState::kInSync; }
  // In sync, and holding all collections.
  [[nodiscard]] bool is_whole() const { return is_in_sync() && !is_partial_.load(); }
  [[nodiscard]] std::uint64_t applied_sequence() const {
    return applied_sequence_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t durable_sequence() const {
    return durable_sequence_.load(std::memory_order_acquire);
  }
  // The oldest batch that this store may still need from the log; UINT64_MAX when none.
  [[nodiscard]] std::uint64_t NeedsLogFrom() const;
  [[nodiscard]] FollowerStatus GetStatus(std::uint64_t last_sequence) SB_EXCLUDES(mutex_);
  // When it last made progress or had nothing to do; for finding out that it hangs.
  [[nodiscard]] SteadyTime LastProgress() const;

  // Takes it out of service because it hangs or lags. It comes back by itself through catch-up. The
  // last store in sync stays, since the memtable covers it, unless `even_if_last`.
  void LeaveService(const std::string& reason, bool even_if_last = false) SB_EXCLUDES(mutex_);
  // Gives it up: it holds the log no longer and needs a fill to come back. Not while it is in sync.
  void GiveUp(const std::string& reason) SB_EXCLUDES(mutex_);
  // Gives it up whatever its state, and makes the store itself say that a new fill is needed, so
  // that no restart brings it back: its records count for nothing from now on. Waits for that;
  // kBusy when `wait_max` passes first.
  Status Forget(const std::string& reason, std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  // The same, and removes its records and its state: a store as if never filled.
  Status Clear(const std::string& reason, std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  // Takes it out of service and makes what it holds durable, then calls `commit`, then goes on with
  // a new store at `path`. Once `commit` has succeeded only the last step may fail (a restart, or
  // calling it again, makes it).
  Status MoveTo(const std::string& path, const std::function<Status()>& commit,
                std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  // Runs `task` on the follower's thread, between two transactions: whoever calls from within it
  // has the follower standing still. As RunTask otherwise, but without a look at the store first.
  Status RunParked(const std::function<Status()>& task, std::chrono::milliseconds wait_max)
      SB_EXCLUDES(mutex_);
  // Of a follower that stands still. Takes it out of service and goes on with the store at `path`,
  // whatever that holds. After an error: with the one it has.
  Status LeaveFor(const std::string& path) SB_EXCLUDES(mutex_);
  // Of a follower that stands still. What the store holds is from now on the content at
  // `sequence` of `epoch`, whoever wrote it; durable on return. Nothing when it holds nothing that
  // counts.
  Status BeginEpoch(std::uint64_t epoch, std::uint64_t sequence);
  // Of a follower that stands still, after LeaveFor: in service again as far as the store goes.
  void Rejoin(const std::string& reason_if_detached) SB_EXCLUDES(mutex_);
  // Runs `task` on the follower's thread, between two transactions, whatever the state, and returns
  // what it returned. It may use the backend as its owner: what it commits there must keep I2, and
  // must keep the StoreState. One at a time (kConflict). kBusy when the thread does not get to it
  // within `wait_max`: the task will not run then. kCancelled: stopping.
  using Task = std::function<Status(Backend&)>;
  Status RunTask(Task task, std::chrono::milliseconds wait_max) SB_EXCLUDES(mutex_);
  // Apply and make durable up to `sequence` without waiting for more.
  void Hurry(std::uint64_t sequence) SB_EXCLUDES(mutex_);
  // Applies nothing past `sequence` from the next transaction on, until LetGo. `is_strict` false:
  // it goes on all the same when the memtable is half full or when somebody hurries past it.
  void HoldAt(std::uint64_t sequence, bool is_strict);
  void LetGo();
  // Whether it failed because another process has changed the store.
  [[nodiscard]] bool IsForeign() const SB_EXCLUDES(mutex_);
  // The operator's word that a store changed by another process is to be used as it is. kRefused
  // when it was not changed.
  Status AcceptForeign() SB_EXCLUDES(mutex_);
  // kRefused when it needs none, kConflict when a fill is under way already.
  Status StartFill(FillMode mode, std::unique_ptr<FillSource> source) SB_EXCLUDES(mutex_);

  [[nodiscard]] Backend& backend() { return *backend_; }
  [[nodiscard]] Role role() const { return options_.role; }

 private:
  struct PendingFill {
    FillMode mode;
    std::unique_ptr<FillSource> source;
  };
  enum class TaskState : std::uint8_t { kWaiting, kRunning, kDone };
  struct PendingTask {
    std::function<Status()> task;
    TaskState state = TaskState::kWaiting;
    Status outcome;
  };
  void Run();
  void NoteProgress();
  void Step();
  Status RunOnThread(std::function<Status()> task, std::chrono::milliseconds wait_max)
      SB_EXCLUDES(mutex_);
  void RunPendingTask() SB_EXCLUDES(mutex_);
  void CancelPendingTask() SB_EXCLUDES(mutex_);
  void BeginPendingFill(PendingFill fill) SB_EXCLUDES(mutex_);
  void BeginFillLater(FillMode mode, const Error& error) SB_EXCLUDES(mutex_);
  void EndFill() SB_EXCLUDES(mutex_);
  void WaitWhileDetached() SB_EXCLUDES(mutex_);
  void Detach(const std::string& reason) SB_EXCLUDES(mutex_);
  Status CountForNothing();
  Status BecomeNew();
  Status ReadCommitted();
  void FollowOnce();
  void CatchUpOnce();
  void FillOnce();
  void FinishFill();
  void OnFillError(const Error& error) SB_EXCLUDES(mutex_);
  void WaitToFill(const Error& cause, std::chrono::milliseconds pause) SB_EXCLUDES(mutex_);
  void RecoverOnce();
  Status BeginFill(FillMode mode);
  Status Reopen();
  Status Apply(std::span<const Effect> effects, const StoreState& state);
  // Takes over what the store is known to hold.
  void SetCommitted(const StoreState& committed) SB_EXCLUDES(mutex_);
  Result<std::shared_ptr<Segment>> ReadSegment();
  void AcceptIfAsked() SB_EXCLUDES(mutex_);
  void OnStoreError(const Error& error) SB_EXCLUDES(mutex_);
  void MakeDurableIfDue();
  // True when everything that is applied is durable; what went wrong otherwise is dealt with, but
  // for waiting until a busy store is not.
  bool MakeDurable();
  void CheckAloneIfDue();
  // False when the edge is not there any more (another thread moved the follower meanwhile), or
  // when it would take the last store out of service without `even_if_last`.
  bool Move(FollowerState from, FollowerState to, const std::string& reason,
            bool even_if_last = true) SB_EXCLUDES(mutex_);
  void Pause(std::chrono::milliseconds time) SB_EXCLUDES(mutex_);
  [[nodiscard]] bool IsHurried() const;
  // What HoldAt allows for now.
  [[nodiscard]] std::uint64_t ApplyMax() const;
  [[nodiscard]] StoreState StateAt(std::uint64_t sequence) const;

  const FollowerOptions options_;
  const std::unique_ptr<Backend> backend_;
  CommitLog& log_;
  Memtable& memtable_;
  CollectionCatalog& catalog_;
  const std::shared_ptr<MetricsBlock> metrics_;
  const Events events_;

  std::atomic<FollowerState> state_{FollowerState::kDetached};
  std::atomic<std::uint64_t> applied_sequence_{0};
  std::atomic<std::uint64_t> durable_sequence_{0};
  std::atomic<std::uint64_t> hurry_sequence_{0};
  std::atomic<std::uint64_t> hold_sequence_{UINT64_MAX};
  std::atomic<bool> is_hold_strict_{false};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<SteadyTime::rep> last_progress_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> is_partial_{false};

  // The follower's thread only.
  StoreState committed_;
  bool needs_reopen_ = false;
  bool has_sync_failed_ = false;  // what the store wrote since the last good sync may be nowhere
  bool has_commit_to_sync_ = false;
  std::unique_ptr<FillSource> fill_;
  std::optional<CommitLog::Reader> log_reader_;
  std::uint64_t log_reader_at_ = 0;  // sequence after which log_reader_ stands
  SteadyTime durable_at_{};
  std::uint64_t durable_log_bytes_ = 0;
  SteadyTime alone_checked_at_{};
  std::chrono::milliseconds backoff_{0};

  mutable Mutex mutex_;
  CondVar wake_;
  std::string path_ SB_GUARDED_BY(mutex_);
  std::vector<std::string> collections_ SB_GUARDED_BY(mutex_);  // committed_'s
  std::string reason_ SB_GUARDED_BY(mutex_);
  bool is_foreign_ SB_GUARDED_BY(mutex_) = false;  // failed for good until an operator decides
  bool is_accept_asked_ SB_GUARDED_BY(mutex_) = false;
  bool is_fill_under_way_ SB_GUARDED_BY(mutex_) = false;  // fill_ belongs to the thread
  std::optional<PendingFill> pending_fill_ SB_GUARDED_BY(mutex_);
  std::optional<PendingTask> pending_task_ SB_GUARDED_BY(mutex_);
  std::atomic<bool> has_task_{false};  // a task waits: end what you wait for
  std::thread thread_;
};

}  // namespace switchback
