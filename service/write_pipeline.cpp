#include "service/write_pipeline.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "common/log.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kRoomCheckInterval{100};
// How long a batch waits for writers that were answered a moment ago to come back: a fraction of
// what the sync costs.
constexpr std::chrono::microseconds kGatherWaitMax{60};

}  // namespace

// A write whose caller waits.
class WritePipeline::BlockingOp final : public WriteOp {
 public:
  explicit BlockingOp(const std::function<Status(Transaction&)>& run) : run_(run) {}
  Status Run(Transaction& transaction) override { return run_(transaction); }
  void Done(const Status& outcome) override {
    outcome_ = outcome;
    is_done_.store(true, std::memory_order_release);
  }
  [[nodiscard]] std::size_t QueuedBytes() const override { return sizeof *this; }
  [[nodiscard]] bool is_done() const { return is_done_.load(std::memory_order_acquire); }
  [[nodiscard]] const Status& outcome() const { return outcome_; }

 private:
  const std::function<Status(Transaction&)>& run_;
  Status outcome_;
  std::atomic<bool> is_done_{false};
};

WritePipeline::WritePipeline(PipelineOptions options, CommitLog& log, Memtable& memtable,
                             const ReadContext& reads, CollectionCatalog& catalog,
                             WatchRegistry& watches, Hooks hooks)
    : options_(options),
      log_(log),
      memtable_(memtable),
      watches_(watches),
      hooks_(std::move(hooks)),
      reads_(reads),
      transaction_(batch_, reads_, catalog, options.value_bytes_max) {}

WritePipeline::~WritePipeline() {
  Stop();
}

void WritePipeline::Start() {
  thread_ = std::thread([this] { Run(); });
}

void WritePipeline::Stop() {
  {
    MutexLock lock(mutex_);
    is_stopping_ = true;
    arrived_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void WritePipeline::FailUnanswered() {
  std::deque<PendingAck> unanswered;
  {
    MutexLock lock(acks_mutex_);
    unanswered.swap(pending_acks_);
  }
  for (PendingAck& ack : unanswered) {
    for (Resolved& write : ack.writes) {
      write.outcome =
          Fail(ErrorCode::kUnknownOutcome, "stopped before every store had it; it is in the log");
    }
    Answer(ack.writes);
  }
}

void WritePipeline::Submit(WriteOp& op) {
  const std::size_t bytes = op.QueuedBytes();
  Status refused;
  {
    MutexLock lock(mutex_);
    if (is_stopping_) {
      refused = Fail(ErrorCode::kCancelled, "the service is shutting down");
    } else if (queue_bytes_ + bytes > kQueueBytesMax) {
      refused = Fail(ErrorCode::kBusy, "too many writes are waiting: try again later");
    } else {
      queue_bytes_ += bytes;
      queue_.push_back({&op, std::chrono::steady_clock::now()});
      if (queue_.size() >= wake_at_) arrived_.NotifyOne();
      return;
    }
  }
  CountRefusal(1);
  op.Done(refused);
  answers_.fetch_add(1);
  answers_.notify_all();
}

Status WritePipeline::Write(const std::function<Status(Transaction&)>& run) {
  BlockingOp op(run);
  std::uint32_t seen = answers_.load(std::memory_order_acquire);
  Submit(op);
  while (!op.is_done()) {
    answers_.wait(seen, std::memory_order_acquire);
    seen = answers_.load(std::memory_order_acquire);
  }
  return op.outcome();
}

bool WritePipeline::TakeQueue(std::vector<Queued>& taken) {
  MutexLock lock(mutex_);
  while (queue_.empty() && alone_ == nullptr) {
    if (is_stopping_) return false;
    wake_at_ = 1;
    const bool is_probe_due =
        is_log_failed_.load(std::memory_order_relaxed) &&
        !arrived_.WaitUntil(mutex_, std::chrono::steady_clock::now() + options_.log_retry_interval);
    if (!is_log_failed_.load(std::memory_order_relaxed)) arrived_.Wait(mutex_);
    wake_at_ = SIZE_MAX;
    if (is_probe_due) return true;
  }
  if (queue_.size() < group_size_ && !is_stopping_ && alone_ == nullptr) {
    const SteadyTime until = std::chrono::steady_clock::now() + kGatherWaitMax;
    wake_at_ = group_size_;  // not for each of them
    while (queue_.size() < group_size_ && !is_stopping_ && arrived_.WaitUntil(mutex_, until)) {
    }
    wake_at_ = SIZE_MAX;
  }
  taken.swap(queue_);
  queue_bytes_ = 0;
  return true;
}

void WritePipeline::Run() {
  std::vector<Queued> writes;
  while (TakeQueue(writes)) {
    RunWhatIsAlone(/*is_cancelled=*/false);
    if (writes.empty() && is_log_failed_) ProbeLog();
    std::size_t next = 0;
    while (next < writes.size()) next += CommitBatch(writes, next);
    group_size_ = writes.size();
    writes.clear();
  }
  // A write that was refused because its sync failed may stand in the log: a new file makes it
  // void, or the next start would find it.
  if (is_log_failed_) ProbeLog();
  RunWhatIsAlone(/*is_cancelled=*/true);
}

Status WritePipeline::RunAlone(const std::function<Status()>& task) {
  Alone alone{&task, {}, false};
  MutexLock lock(mutex_);
  if (is_stopping_) return Fail(ErrorCode::kCancelled, "the service is stopping");
  SB_CHECK(alone_ == nullptr, "one at a time");
  alone_ = &alone;
  arrived_.NotifyAll();
  while (!alone.is_done) alone_done_.Wait(mutex_);
  return alone.outcome;
}

void WritePipeline::RunWhatIsAlone(bool is_cancelled) {
  Alone* alone = nullptr;
  {
    MutexLock lock(mutex_);
    alone = std::exchange(alone_, nullptr);
  }
  if (alone == nullptr) return;
  reads_.EndTurn();
  Status outcome =
      is_cancelled ? Fail(ErrorCode::kCancelled, "the service is stopping") : (*alone->task)();
  MutexLock lock(mutex_);
  alone->outcome = std::move(outcome);
  alone->is_done = true;
  alone_done_.NotifyAll();
}

// Without writes to try it with, a failed log would stay failed and whoever waits for readiness
// would wait for ever.
void WritePipeline::ProbeLog() {
  if (auto begun = log_.BeginNewFile(); !begun) return;
  if (is_log_failed_.exchange(false)) LogInfo("commit log: durable again, writes are accepted");
}

Status WritePipeline::WaitForRoom() {
  if (!memtable_.IsFull()) [[likely]]
    return {};
  backpressure_waits_.fetch_add(1);
  const SteadyTime give_up = std::chrono::steady_clock::now() + options_.backpressure_wait_max;
  memtable_.Wake();
  while (!memtable_.WaitForRoom(std::chrono::steady_clock::now() + kRoomCheckInterval)) {
    if (hooks_.relieve) hooks_.relieve();
    if (std::chrono::steady_clock::now() >= give_up) {
      backpressure_refusals_.fetch_add(1);
      return Fail(
          ErrorCode::kBusy,
          "the stores do not keep up and the memtable is at its budget: nothing was written, try "
          "again later; `switchback status` names the store");
    }
  }
  return {};
}

void WritePipeline::Hold(const std::string& reason) {
  MutexLock lock(stats_mutex_);
  hold_reason_ = reason;
  is_held_ = !reason.empty();
}

Status WritePipeline::CheckHold() {
  if (!is_held_.load()) [[likely]]
    return {};
  MutexLock lock(stats_mutex_);
  return Fail(ErrorCode::kReadOnly, "writes are refused, reads go on: " + hold_reason_);
}

// After a failed append the log is tried again by the writes that come, at most once an interval.
Status WritePipeline::CheckLog() {
  if (!is_log_failed_.load(std::memory_order_relaxed) || options_.clock->Now() >= log_retry_at_)
    return {};
  MutexLock lock(stats_mutex_);
  return Fail(ErrorCode::kIo, "writes are refused, nothing was stored: " + log_error_);
}

void WritePipeline::Resolve(const std::vector<Queued>& writes, std::size_t next,
                            std::vector<Resolved>& resolved) {
  while (next < writes.size() && batch_.byte_count() < kBatchBytesMax &&
         batch_.effect_count() < kBatchEffectCountMax) {
    const std::size_t savepoint = batch_.effect_count();
    transaction_.Begin();
    Status outcome = writes[next].op->Run(transaction_);
    // What only reads, or changes nothing, may be answered all the same.
    if (outcome && batch_.effect_count() > savepoint) outcome = CheckHold();
    if (!outcome) batch_.Truncate(savepoint);
    resolved.push_back({writes[next++], std::move(outcome)});
  }
  reads_.EndTurn();
}

Status WritePipeline::AppendBatch() {
  const SteadyTime start = std::chrono::steady_clock::now();
  Status appended = log_.Append(batch_.Preamble(), batch_.effect_bytes());
  log_sync_.Record(std::chrono::steady_clock::now() - start);
  if (appended) {
    if (is_log_failed_.exchange(false)) LogInfo("commit log: durable again, writes are accepted");
    return {};
  }
  if (!is_log_failed_.exchange(true)) LogError("writes are refused: {}", appended.error().message);
  log_retry_at_ = options_.clock->Now() + options_.log_retry_interval;
  MutexLock lock(stats_mutex_);
  log_error_ = appended.error().message;
  return appended;
}

std::size_t WritePipeline::CommitBatch(const std::vector<Queued>& writes, std::size_t next) {
  std::vector<Resolved> resolved;
  Status ready = WaitForRoom();
  if (ready) ready = CheckLog();
  if (!ready) {
    for (; next < writes.size(); ++next) resolved.push_back({writes[next], ready});
    const std::size_t count = resolved.size();
    Answer(resolved);
    return count;
  }
  Resolve(writes, next, resolved);
  const std::size_t count = resolved.size();
  std::uint64_t sequence = log_.last_sequence();
  if (batch_.effect_count() > 0) {
    if (auto appended = AppendBatch(); !appended) {
      batch_.Truncate(0);
      // What a write that changed nothing has read may have come from this batch: it is not
      // answered either.
      for (Resolved& write : resolved) write.outcome = appended;
      Answer(resolved);
      return count;
    }
    sequence = log_.last_sequence();
    const Batch batch = batch_.Take(sequence);
    memtable_.Publish(batch);
    batches_.fetch_add(1, std::memory_order_relaxed);
    watches_.Touch(batch.effects);  // after it is visible: see watch_registry.hpp
  }
  if (options_.is_ack_by_stores && hooks_.stores_durable_sequence() < sequence) {
    {
      MutexLock lock(acks_mutex_);
      pending_acks_.push_back({sequence, std::move(resolved)});
    }
    OnStoresDurable();  // it may have happened in between
    return count;
  }
  Answer(resolved);
  return count;
}

void WritePipeline::OnStoresDurable() {
  if (!options_.is_ack_by_stores) return;
  MutexLock lock(acks_mutex_);
  const std::uint64_t durable = hooks_.stores_durable_sequence();
  while (!pending_acks_.empty() && pending_acks_.front().sequence <= durable) {
    Answer(pending_acks_.front().writes);
    pending_acks_.pop_front();
  }
}

void WritePipeline::Answer(std::vector<Resolved>& writes) {
  const SteadyTime now = std::chrono::steady_clock::now();
  for (Resolved& write : writes) {
    write_latency_.Record(now - write.queued.since);
    writes_.fetch_add(1, std::memory_order_relaxed);
    if (!write.outcome) write_errors_.fetch_add(1, std::memory_order_relaxed);
    write.queued.op->Done(write.outcome);
  }
  answers_.fetch_add(1, std::memory_order_release);
  answers_.notify_all();
}

void WritePipeline::CountRefusal(std::size_t writes) {
  writes_.fetch_add(writes, std::memory_order_relaxed);
  write_errors_.fetch_add(writes, std::memory_order_relaxed);
}

PipelineStats WritePipeline::GetStats() const {
  PipelineStats stats;
  stats.writes = writes_;
  stats.write_errors = write_errors_;
  stats.batches = batches_;
  stats.backpressure_waits = backpressure_waits_;
  stats.backpressure_refusals = backpressure_refusals_;
  write_latency_.AddTo(stats.write_latency);
  log_sync_.AddTo(stats.log_sync);
  stats.is_log_failed = is_log_failed_;
  {
    MutexLock lock(stats_mutex_);
    stats.hold_reason = hold_reason_;
    if (stats.is_log_failed) stats.log_error = log_error_;
  }
  MutexLock lock(mutex_);
  stats.queue_bytes = queue_bytes_;
  return stats;
}

}  // namespace switchback
