#include "service/follower.hpp"

#include <algorithm>

#include "backends/write_pacer.hpp"
#include "common/check.hpp"
#include "common/failpoint.hpp"
#include "common/log.hpp"
#include "service/follower_state.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kBackoffMin{50};
constexpr std::chrono::milliseconds kBackoffMax{5000};
constexpr std::chrono::milliseconds kIdleWait{1000};
constexpr std::chrono::milliseconds kBusyRetry{5};
constexpr std::chrono::milliseconds kFillRetry{100};  // for a fill's source that is not ready

// Whether the same call may work later. The others are for an operator.
bool IsPassing(ErrorCode code) {
  return code == ErrorCode::kBusy || code == ErrorCode::kNoSpace || code == ErrorCode::kIo ||
         code == ErrorCode::kUnknownOutcome || code == ErrorCode::kUnavailable;
}

}  // namespace

const char* FollowerStateName(FollowerState state) {
  return kFollowerRules[static_cast<std::size_t>(state)].name;
}

Follower::Follower(FollowerOptions options, std::unique_ptr<Backend> backend, CommitLog& log,
                   Memtable& memtable, CollectionCatalog& catalog,
                   std::shared_ptr<MetricsBlock> metrics, Events events)
    : options_(std::move(options)),
      backend_(std::move(backend)),
      log_(log),
      memtable_(memtable),
      catalog_(catalog),
      metrics_(std::move(metrics)),
      events_(std::move(events)),
      path_(options_.path) {}

Follower::~Follower() {
  Stop();
}

void Follower::Place(FollowerState state, const StoreState& committed, std::string reason) {
  SB_CHECK(!thread_.joinable(), "a follower is placed before it starts");
  SB_CHECK(state != FollowerState::kInSync && state != FollowerState::kFailed,
           "it finds out by itself");
  SetCommitted(committed);
  applied_sequence_ = committed.applied_sequence;
  durable_sequence_ = committed.applied_sequence;
  durable_at_ = options_.clock->Now();
  alone_checked_at_ =
      durable_at_ - kIdleWait;  // at once: who knows what happened while it was down
  last_progress_ = options_.clock->Now().time_since_epoch().count();
  {
    MutexLock lock(mutex_);
    reason_ = std::move(reason);
    state_.store(state, std::memory_order_release);
  }
  // The position is the newest commit's; what of it survives a power cut is known only after the
  // next sync.
  if (committed.applied_sequence > 0) durable_sequence_ = 0;
  // Before the service answers its first read, whoever the memtable covers is in sync.
  if (state == FollowerState::kCatchingUp &&
      memtable_.Cover(options_.role, committed.applied_sequence, !committed.is_partial())) {
    MutexLock lock(mutex_);
    reason_.clear();
    state_.store(FollowerState::kInSync, std::memory_order_release);
  }
}

void Follower::Start() {
  SB_CHECK(!thread_.joinable(), "a follower is started once");
  thread_ = std::thread([this] { Run(); });
}

void Follower::Stop() {
  stop_ = true;
  {
    MutexLock lock(mutex_);
    wake_.NotifyAll();
  }
  memtable_.Wake();
  if (thread_.joinable()) thread_.join();
}

std::uint64_t Follower::NeedsLogFrom() const {
  return state() == FollowerState::kDetached ? UINT64_MAX : durable_sequence() + 1;
}

void Follower::NoteProgress() {
  last_progress_.store(options_.clock->Now().time_since_epoch().count());
}

SteadyTime Follower::LastProgress() const {
  return SteadyTime(SteadyTime::duration(last_progress_.load()));
}

FollowerStatus Follower::GetStatus(std::uint64_t last_sequence) {
  FollowerStatus status;
  status.engine = backend_->engine();
  status.applied_sequence = applied_sequence();
  status.durable_sequence = std::min(durable_sequence(), status.applied_sequence);
  status.lag_batches = last_sequence - std::min(last_sequence, status.applied_sequence);
  status.apply_failures = failures_;
  status.store = backend_->Stats();
  status.unservable = backend_->unservable();
  if (const auto oldest = memtable_.OldestAfter(status.applied_sequence);
      oldest && status.lag_batches > 0) {
    status.lag =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.clock->Now() - *oldest);
  }
  MutexLock lock(mutex_);
  status.path = path_;
  status.collections = collections_;
  status.state = state();
  status.reason = reason_;
  status.is_fill_under_way = is_fill_under_way_;
  return status;
}

bool Follower::Move(FollowerState from, FollowerState to, const std::string& reason,
                    bool even_if_last) {
  SB_CHECK(MayMove(from, to), "an edge of the follower's state table");
  {
    MutexLock lock(mutex_);
    if (state_.load(std::memory_order_relaxed) != from) return false;
    if (from == FollowerState::kInSync) {
      if (even_if_last) memtable_.Uncover(options_.role);
      if (!even_if_last && !memtable_.UncoverUnlessLast(options_.role)) return false;
    }
    reason_ = reason;
    state_.store(to, std::memory_order_release);
    wake_.NotifyAll();
  }
  if (from == FollowerState::kInSync) memtable_.Wake();  // its thread may be waiting for work there
  const std::string because = reason.empty() ? "" : ": " + reason;
  Log(to == FollowerState::kFailed || to == FollowerState::kDetached ? LogLevel::kWarning
                                                                     : LogLevel::kInfo,
      "{} store: {} -> {}{}", RoleName(options_.role), FollowerStateName(from),
      FollowerStateName(to), because);
  if (events_.on_state) events_.on_state();
  return true;
}

void Follower::LeaveService(const std::string& reason, bool even_if_last) {
  Move(FollowerState::kInSync, FollowerState::kFailed, reason, even_if_last);
}

void Follower::GiveUp(const std::string& reason) {
  for (const FollowerState from :
       {FollowerState::kFailed, FollowerState::kCatchingUp, FollowerState::kBackfilling}) {
    if (Move(from, FollowerState::kDetached, reason)) return;
  }
}

void Follower::Detach(const std::string& reason) {
  while (state() != FollowerState::kDetached) {  // it may come back in between
    LeaveService(reason, true);
    GiveUp(reason);
  }
}

void Follower::Hurry(std::uint64_t sequence) {
  std::uint64_t before = hurry_sequence_.load();
  while (before < sequence && !hurry_sequence_.compare_exchange_weak(before, sequence)) {
  }
  memtable_.Wake();
}

void Follower::HoldAt(std::uint64_t sequence, bool is_strict) {
  is_hold_strict_ = is_strict;
  hold_sequence_ = sequence;
  memtable_.Wake();
}

void Follower::LetGo() {
  HoldAt(UINT64_MAX, false);
}

std::uint64_t Follower::ApplyMax() const {
  const std::uint64_t hold = hold_sequence_.load();
  if (hold == UINT64_MAX || is_hold_strict_.load()) return hold;
  const bool must_go_on =
      options_.is_eager || stop_ || memtable_.IsHalfFull() || hurry_sequence_.load() > hold;
  return must_go_on ? UINT64_MAX : hold;
}

bool Follower::IsHurried() const {
  return options_.is_eager || stop_.load(std::memory_order_relaxed) || memtable_.IsFull() ||
         hurry_sequence_.load(std::memory_order_relaxed) >
             durable_sequence_.load(std::memory_order_relaxed);
}

Status Follower::StartFill(FillMode mode, std::unique_ptr<FillSource> source) {
  MutexLock lock(mutex_);
  const FollowerState now = state();
  if (now == FollowerState::kInSync || now == FollowerState::kCatchingUp) {
    return Fail(ErrorCode::kRefused, std::string(RoleName(options_.role)) + " is " +
                                         FollowerStateName(now) + ": it holds everything already");
  }
  if (pending_fill_ || (now == FollowerState::kBackfilling && is_fill_under_way_))
    return Fail(ErrorCode::kConflict, "a fill is running already");
  pending_fill_ = PendingFill{mode, std::move(source)};
  is_fill_under_way_ = true;
  is_foreign_ = false;
  wake_.NotifyAll();
  return {};
}

void Follower::Run() {
  PaceWritesOfThisThread([this] { NoteProgress(); });
  while (!stop_.load(std::memory_order_relaxed)) {
    if (has_task_.load(std::memory_order_acquire)) RunPendingTask();
    CheckAloneIfDue();
    Step();
    MakeDurableIfDue();
  }
  CancelPendingTask();
}

void Follower::Step() {
  std::optional<PendingFill> fill;
  {
    MutexLock lock(mutex_);
    fill.swap(pending_fill_);
  }
  if (fill) return BeginPendingFill(*std::move(fill));
  switch (state()) {
    case FollowerState::kDetached: return WaitWhileDetached();
    case FollowerState::kBackfilling: return FillOnce();
    case FollowerState::kCatchingUp: return CatchUpOnce();
    case FollowerState::kInSync: return FollowOnce();
    case FollowerState::kFailed: return RecoverOnce();
  }
}

void Follower::BeginPendingFill(PendingFill fill) {
  const FollowerState now = state();
  // It came back by itself since the fill was asked for: there is nothing to fill.
  if (now == FollowerState::kCatchingUp || now == FollowerState::kInSync) return EndFill();
  fill_ = std::move(fill.source);
  auto begun = BeginFill(fill.mode);
  if (begun) return;
  // One that was interrupted is not given up for an error that may pass.
  const bool is_interrupted = fill.mode == FillMode::kResume && now != FollowerState::kFailed &&
                              IsPassing(begun.error().code);
  if (begun.error().code == ErrorCode::kBusy || is_interrupted)
    return BeginFillLater(fill.mode, begun.error());
  EndFill();
  const std::string reason = "fill could not begin: " + begun.error().message;
  LogWarning("{} store: {}", RoleName(options_.role), reason);
  const bool may_be_whole = now == FollowerState::kFailed && fill.mode == FillMode::kResume;
  if (now != FollowerState::kDetached && !may_be_whole) {
    Move(now, FollowerState::kDetached, reason);
    return;
  }
  MutexLock lock(mutex_);
  reason_ = reason;
}

void Follower::BeginFillLater(FillMode mode, const Error& error) {
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  WaitToFill(WithContext(error, "the fill has yet to begin"), backoff_);
  MutexLock lock(mutex_);
  if (!pending_fill_) pending_fill_ = PendingFill{mode, std::move(fill_)};
  fill_.reset();
}

void Follower::EndFill() {
  fill_.reset();
  MutexLock lock(mutex_);
  is_fill_under_way_ = pending_fill_.has_value();
}

void Follower::WaitWhileDetached() {
  if (fill_) EndFill();
  MutexLock lock(mutex_);
  if (!stop_ && !pending_fill_ && !has_task_)
    wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kIdleWait);
}

void Follower::Pause(std::chrono::milliseconds time) {
  const SteadyTime until = std::chrono::steady_clock::now() + time;
  MutexLock lock(mutex_);
  while (!stop_ && !pending_fill_ && !has_task_ && wake_.WaitUntil(mutex_, until)) {
  }
}

StoreState Follower::StateAt(std::uint64_t sequence) const {
  StoreState state;
  state.log_id = log_.log_id();
  state.epoch = log_.epoch();
  state.applied_sequence = sequence;
  state.collections = committed_.collections;
  return state;
}

Status Follower::Apply(std::span<const Effect> effects, const StoreState& state) {
  const SteadyTime start = std::chrono::steady_clock::now();
  std::vector<Effect> held;
  if (state.is_partial()) {
    std::copy_if(
        effects.begin(), effects.end(), std::back_inserter(held),
        [&](const Effect& effect) { return effect.collection->IsHeldBy(Index(options_.role)); });
    effects = held;
  }
  Status applied = Failpoint("follower.apply");
  if (applied) applied = backend_->Apply(effects, state);
  metrics_->Of(nullptr, options_.role, Operation::kApply)
      .latency.Record(std::chrono::steady_clock::now() - start);
  if (!applied) {
    metrics_->CountError(nullptr, options_.role, Operation::kApply, "", applied.error());
    failures_.fetch_add(1);
    return applied;
  }
  SetCommitted(state);
  has_commit_to_sync_ = true;
  applied_sequence_.store(state.applied_sequence, std::memory_order_release);
  NoteProgress();
  backoff_ = {};
  return {};
}

void Follower::SetCommitted(const StoreState& committed) {
  if (committed.collections != committed_.collections) {
    catalog_.SetHeld(Index(options_.role), committed.collections);
    is_partial_.store(committed.is_partial());
    MutexLock lock(mutex_);
    collections_ = committed.collections;
  }
  committed_ = committed;
}

void Follower::FollowOnce() {
  if (needs_reopen_) {
    if (auto reopened = Reopen(); !reopened) return OnStoreError(reopened.error());
  }
  const std::uint64_t wakes = memtable_.WakeCount();
  if (!is_in_sync() || stop_ || has_task_) return;
  Gathering gathering = options_.gathering;
  if (IsHurried()) gathering.age_min = {};
  std::vector<std::shared_ptr<const Segment>> segments;
  if (applied_sequence() < ApplyMax()) segments = memtable_.NextFor(applied_sequence(), gathering);
  // Asked again: whoever holds us has closed a segment where we shall stop, perhaps just now.
  const std::uint64_t apply_max = ApplyMax();
  while (!segments.empty() && segments.back()->last_sequence() > apply_max) segments.pop_back();
  if (segments.empty()) {
    NoteProgress();
    const SteadyTime now = std::chrono::steady_clock::now();
    if (memtable_.last_sequence() > applied_sequence())
      return memtable_.WaitForMore(wakes, now + gathering.quiet_min);
    return memtable_.WaitForWork(applied_sequence(), wakes, now + kIdleWait);
  }
  // Taken out of service meanwhile: the memtable may have let go of what comes before these (I2).
  if (segments.front()->first_sequence() > applied_sequence() + 1) return;
  const std::vector<Effect> effects = Segment::NetEffects(segments);
  const StoreState next = StateAt(segments.back()->last_sequence());
  if (auto applied = Apply(effects, next); !applied) return OnStoreError(applied.error());
  memtable_.Applied(options_.role, applied_sequence());
  MutexLock lock(mutex_);
  if (state() == FollowerState::kInSync) reason_.clear();
}

// I5: what failed is unknown until the store has been opened anew and asked. The last store in sync
// is not taken away for it: the memtable still covers it, and reads of what is in the store may
// work.
void Follower::OnStoreError(const Error& error) {
  const FollowerState from = state();
  const bool is_foreign = error.code == ErrorCode::kForeignWrite;
  LogWarning("{} store ({}): {}", RoleName(options_.role), FollowerStateName(from), error.message);
  const bool is_passing =
      error.code == ErrorCode::kNoSpace || error.code == ErrorCode::kBusy;  // nothing was applied
  needs_reopen_ = !is_passing && !is_foreign;
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  {
    MutexLock lock(mutex_);
    is_foreign_ = is_foreign;
    reason_ = error.message;
  }
  const bool can_wait = is_passing && !memtable_.IsFull();
  if (from == FollowerState::kInSync && !can_wait)
    Move(from, FollowerState::kFailed, error.message, is_foreign);
  if (from == FollowerState::kCatchingUp && !can_wait)
    Move(from, FollowerState::kFailed, error.message);
  Pause(backoff_);
}

Status Follower::Reopen() {
  SB_RETURN_IF_ERROR(backend_->Reopen());
  auto committed = backend_->State();
  if (!committed) return Fail(committed.error());
  if (committed->log_id != log_.log_id())
    return Fail(ErrorCode::kCorruption, "the store lost its position in the log");
  // Never by what was applied here (I3): the files are others.
  if (committed->applied_sequence > log_.last_sequence())
    return Fail(ErrorCode::kCorruption, "the store is ahead of the log");
  const bool has_gone_back = committed->applied_sequence < applied_sequence();
  SetCommitted(*committed);
  // A disk that dropped what it could not write: the memtable may have let go of it already.
  if (has_gone_back)
    Move(FollowerState::kInSync, FollowerState::kCatchingUp,
         "the store lost transactions that it had applied");
  applied_sequence_.store(committed_.applied_sequence, std::memory_order_release);
  durable_sequence_.store(std::min(durable_sequence(), applied_sequence()));
  needs_reopen_ = false;
  if (is_in_sync()) memtable_.Applied(options_.role, applied_sequence());
  return {};
}

void Follower::RecoverOnce() {
  {
    MutexLock lock(mutex_);
    if (is_foreign_ && !is_accept_asked_) {  // only an operator can say what the store is worth now
      if (!stop_ && !pending_fill_ && !has_task_)
        wake_.WaitUntil(mutex_, std::chrono::steady_clock::now() + kIdleWait);
      return;
    }
  }
  AcceptIfAsked();
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  Pause(backoff_);
  {
    MutexLock lock(mutex_);
    if (stop_ || pending_fill_ || state() != FollowerState::kFailed) return;
  }
  if (auto reopened = Reopen(); !reopened) {
    LogWarning("{} store: reopen: {}", RoleName(options_.role), reopened.error().message);
    MutexLock lock(mutex_);
    is_foreign_ = reopened.error().code == ErrorCode::kForeignWrite;
    reason_ = "reopen: " + reopened.error().message;
    return;
  }
  Move(FollowerState::kFailed,
       committed_.is_filling ? FollowerState::kBackfilling : FollowerState::kCatchingUp, "");
}

void Follower::AcceptIfAsked() {
  {
    MutexLock lock(mutex_);
    if (!is_accept_asked_) return;
    is_accept_asked_ = false;
  }
  if (auto accepted = backend_->AcceptForeign(); !accepted) {
    LogWarning("{} store: accepting the foreign change: {}", RoleName(options_.role),
               accepted.error().message);
    return;
  }
  LogWarning("{} store: the foreign change was accepted by an operator", RoleName(options_.role));
  MutexLock lock(mutex_);
  is_foreign_ = false;
  backoff_ = {};
}

bool Follower::IsForeign() const {
  MutexLock lock(mutex_);
  return is_foreign_;
}

Status Follower::AcceptForeign() {
  MutexLock lock(mutex_);
  if (!is_foreign_)
    return Fail(ErrorCode::kRefused,
                std::string(RoleName(options_.role)) + " was not changed by another process");
  is_accept_asked_ = true;
  wake_.NotifyAll();
  return {};
}

Result<std::shared_ptr<Segment>> Follower::ReadSegment() {
  const std::uint64_t applied = applied_sequence();
  if (!log_reader_ || log_reader_at_ != applied) log_reader_.emplace(log_.NewReader(applied));
  auto segment = std::make_shared<Segment>(applied + 1, options_.clock->Now());
  log_reader_at_ = applied;
  while (segment->byte_count() < options_.gathering.bytes_max &&
         segment->record_count() < options_.gathering.record_count_max) {
    // Not past what readers may see: a batch is in the log a moment before it is in the memtable.
    auto record = log_reader_->Next(std::min(memtable_.last_sequence(), ApplyMax()));
    if (!record) {
      log_reader_.reset();
      return Fail(record.error());
    }
    if (!record->has_value()) break;
    Batch batch;
    batch.sequence = (*record)->sequence;
    batch.bytes = std::make_shared<const std::string>((*record)->payload);
    auto effects = DecodeBatch(*batch.bytes, catalog_);
    if (!effects) return Fail(effects.error());
    batch.effects = *std::move(effects);
    log_reader_at_ = batch.sequence;
    segment->Add(batch);
  }
  return segment;
}

void Follower::CatchUpOnce() {
  if (needs_reopen_) {
    if (auto reopened = Reopen(); !reopened) return OnStoreError(reopened.error());
  }
  {
    MutexLock lock(mutex_);
    if (state() != FollowerState::kCatchingUp) return;
    if (memtable_.Cover(options_.role, applied_sequence(), !committed_.is_partial())) {
      reason_.clear();
      state_.store(FollowerState::kInSync, std::memory_order_release);
    }
  }
  if (is_in_sync()) {
    log_reader_.reset();
    LogInfo("{} store: catching-up -> in-sync at batch {}", RoleName(options_.role),
            applied_sequence());
    if (events_.on_state) events_.on_state();
    return;
  }
  auto segment = ReadSegment();
  if (!segment && segment.error().code == ErrorCode::kNotFound) {
    Move(FollowerState::kCatchingUp, FollowerState::kDetached,
         segment.error().message + "; it needs a new fill");
    return;
  }
  if (!segment) return OnStoreError(segment.error());
  if ((*segment)->is_empty()) return Pause(kBackoffMin);
  const std::vector<Effect> effects = (*segment)->NetEffects();
  if (auto applied = Apply(effects, StateAt((*segment)->last_sequence())); !applied)
    OnStoreError(applied.error());
}

Status Follower::BeginFill(FillMode mode) {
  if (mode == FillMode::kResume) {
    SB_RETURN_IF_ERROR(Reopen());
    if (!committed_.is_filling) return Fail(ErrorCode::kRefused, "there is no fill to resume");
  }
  // To resume an empty range is to begin: records outside of the range count for nothing.
  if (mode == FillMode::kFromScratch || committed_.fill_collection.empty()) {
    SB_RETURN_IF_ERROR(backend_->Reset());
    StoreState empty = StateAt(0);
    empty.is_filling = true;
    empty.collections.clear();
    SB_RETURN_IF_ERROR(Apply({}, empty));
    // From now on a power cut leaves a fill to be resumed, not a store that was never filled.
    SB_RETURN_IF_ERROR(backend_->MakeDurable());
    durable_sequence_ = 0;
  }
  if (state() != FollowerState::kBackfilling) Move(state(), FollowerState::kBackfilling, "");
  return {};
}

void Follower::FillOnce() {
  if (!fill_) return WaitWhileDetached();  // interrupted earlier: whoever owns fills resumes it
  if (needs_reopen_) {
    if (auto reopened = Reopen(); !reopened) return OnStoreError(reopened.error());
  }
  if (!committed_.is_filling) return FinishFill();
  if (auto ready = events_.may_fill ? events_.may_fill() : Status{}; !ready)
    return WaitToFill(ready.error(), kFillRetry);
  auto step = fill_->Next(committed_);
  if (!step) return OnFillError(step.error());
  if (auto applied = Apply(step->effects, step->state); !applied)
    return OnStoreError(applied.error());
  fill_->Committed();
  MutexLock lock(mutex_);
  reason_.clear();
}

// The last step is committed, by this attempt or by one whose outcome was unknown. It is durable
// before the store counts as filled, so that nothing a disk forgets leads back into the fill.
void Follower::FinishFill() {
  if (!MakeDurable()) return Pause(kBusyRetry);
  EndFill();
  Move(FollowerState::kBackfilling, FollowerState::kCatchingUp, "");
}

// The step could not be made: nothing is wrong with the store that is being filled.
void Follower::OnFillError(const Error& error) {
  const bool is_over = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kCancelled;
  if (is_over) {
    EndFill();
    Move(FollowerState::kBackfilling, FollowerState::kDetached,
         error.message + (error.code == ErrorCode::kNotFound
                              ? "; begin the fill anew"
                              : "; go on with it by `switchback migrate start`"));
    return;
  }
  if (error.code == ErrorCode::kBusy) return WaitToFill(error, kFillRetry);
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  WaitToFill(error, backoff_);
}

void Follower::WaitToFill(const Error& cause, std::chrono::milliseconds pause) {
  {
    MutexLock lock(mutex_);
    if (reason_ != cause.message) {
      Log(cause.code == ErrorCode::kBusy ? LogLevel::kDebug : LogLevel::kWarning,
          "{} store: the fill waits: {}", RoleName(options_.role), cause.message);
      reason_ = cause.message;
    }
  }
  Pause(pause);
}

void Follower::MakeDurableIfDue() {
  const std::uint64_t applied = applied_sequence();
  const FollowerState now_in = state();
  if (now_in == FollowerState::kDetached || now_in == FollowerState::kFailed) return;
  // The steps of a fill need not move the sequence.
  const bool is_fill_to_sync = now_in == FollowerState::kBackfilling && has_commit_to_sync_;
  if (applied <= durable_sequence() && !is_fill_to_sync) return;
  const bool is_hurried = options_.is_eager || hurry_sequence_.load() > durable_sequence();
  const SteadyTime now = options_.clock->Now();
  const bool is_due = now - durable_at_ >= options_.durable_interval ||
                      log_.appended_bytes() - durable_log_bytes_ >= options_.durable_log_bytes;
  if (!is_due && !(is_hurried && (options_.is_eager || applied >= hurry_sequence_.load()))) return;
  if (MakeDurable() || has_sync_failed_) return;
  if (is_hurried) return Pause(kBusyRetry);
  durable_at_ = now;
}

bool Follower::MakeDurable() {
  // A failed sync may have dropped what it could not write, and the next one would prove nothing
  // about it. A new transaction on top is written and synced together with what leads to it.
  if (has_sync_failed_) {
    if (needs_reopen_) return false;
    if (auto rewritten = Apply({}, committed_); !rewritten) {
      OnStoreError(rewritten.error());
      return false;
    }
    has_sync_failed_ = false;
  }
  const std::uint64_t applied = applied_sequence();
  if (auto durable = backend_->MakeDurable(); !durable) {
    has_sync_failed_ = durable.error().code != ErrorCode::kBusy;
    if (has_sync_failed_) OnStoreError(durable.error());
    return false;
  }
  durable_at_ = options_.clock->Now();
  has_commit_to_sync_ = false;
  durable_log_bytes_ = log_.appended_bytes();
  durable_sequence_.store(applied, std::memory_order_release);
  NoteProgress();
  if (events_.on_durable) events_.on_durable();
  return true;
}

void Follower::CheckAloneIfDue() {
  const SteadyTime now = options_.clock->Now();
  if (now - alone_checked_at_ < kIdleWait || state() == FollowerState::kDetached) return;
  alone_checked_at_ = now;
  if (state() == FollowerState::kFailed) return;
  if (auto alone = backend_->CheckAlone(); !alone) OnStoreError(alone.error());
}

}  // namespace switchback
