// The write pipeline: one thread through which all writes go (I2). It drains what waits into a
// batch, resolves it, makes it durable with one append, makes it visible in one step, and answers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/sync.hpp"
#include "service/batch_transaction.hpp"
#include "service/commit_log.hpp"
#include "service/memtable.hpp"
#include "service/transaction.hpp"

namespace switchback {

struct PipelineOptions {
  bool is_ack_by_stores = false;
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  std::chrono::milliseconds backpressure_wait_max = kBackpressureWaitMax;
  std::chrono::milliseconds log_retry_interval{100};
  const Clock* clock = &SystemClock();
};

struct PipelineStats {
  std::uint64_t writes = 0, write_errors = 0, batches = 0;
  std::uint64_t backpressure_waits = 0, backpressure_refusals = 0;
  std::uint64_t queue_bytes = 0;
  bool is_log_failed = false;
  std::string log_error;
  std::string hold_reason;
  HistogramSnapshot write_latency, log_sync;
};

class WritePipeline {
 public:
  // `relieve`: called while writers wait for the memtable; may take a store that holds it up out of
  // service. `stores_durable_sequence`: what every store in service has made durable; for --ack
  // stores.
  struct Hooks {
    std::function<void()> relieve;
    std::function<std::uint64_t()> stores_durable_sequence;
  };
  WritePipeline(PipelineOptions options, CommitLog& log, Memtable& memtable,
                const ReadContext& reads, CollectionCatalog& catalog, WatchRegistry& watches,
                Hooks hooks);
  ~WritePipeline();
  WritePipeline(const WritePipeline&) = delete;
  WritePipeline& operator=(const WritePipeline&) = delete;

  void Start();
  // Refuses new writes, commits those that wait, ends the thread. Idempotent.
  void Stop() SB_EXCLUDES(mutex_);
  // After Stop: answers what still waits for the stores (--ack stores) with kUnknownOutcome.
  void FailUnanswered() SB_EXCLUDES(acks_mutex_);

  // Never blocks. Any thread.
  void Submit(WriteOp& op) SB_EXCLUDES(mutex_);
  // Blocks until Done. Any thread but the pipeline's.
  Status Write(const std::function<Status(Transaction&)>& run);

  // Runs `task` on the pipeline's thread, between two batches: nothing is appended or published
  // meanwhile, writes wait. Returns what it returned. One at a time. kCancelled: stopping. Any
  // thread but the pipeline's.
  Status RunAlone(const std::function<Status()>& task) SB_EXCLUDES(mutex_);

  // Refuses the writes that are submitted after the return and would change something, with
  // kReadOnly and `reason`; "" = takes them again. Any thread.
  void Hold(const std::string& reason) SB_EXCLUDES(stats_mutex_);

  // Answers writes that waited for the stores. Any thread.
  void OnStoresDurable() SB_EXCLUDES(acks_mutex_);

  [[nodiscard]] PipelineStats GetStats() const SB_EXCLUDES(mutex_, stats_mutex_);

 private:
  struct Queued {
    WriteOp* op;
    SteadyTime since;
  };
  struct Resolved {
    Queued queued;
    Status outcome;
  };
  struct PendingAck {
    std::uint64_t sequence;
    std::vector<Resolved> writes;
  };
  struct Alone {
    const std::function<Status()>* task = nullptr;
    Status outcome;
    bool is_done = false;
  };
  class BlockingOp;

  void Run();
  // Blocks until something waits, or nothing does but a failed log wants to be tried; false when
  // stopping.
  bool TakeQueue(std::vector<Queued>& taken) SB_EXCLUDES(mutex_);
  void RunWhatIsAlone(bool is_cancelled) SB_EXCLUDES(mutex_);
  void ProbeLog();
  // Commits writes from `next` on, as many as make a batch; returns how many.
  std::size_t CommitBatch(const std::vector<Queued>& writes, std::size_t next);
  Status WaitForRoom();
  Status CheckHold();
  Status CheckLog();
  Status AppendBatch();
  void Resolve(const std::vector<Queued>& writes, std::size_t next,
               std::vector<Resolved>& resolved);
  void Answer(std::vector<Resolved>& writes);
  void CountRefusal(std::size_t writes);

  const PipelineOptions options_;
  CommitLog& log_;
  Memtable& memtable_;
  WatchRegistry& watches_;
  const Hooks hooks_;

  // The pipeline's thread only.
  ReadPath reads_;
  BatchBuilder batch_;
  BatchTransaction transaction_;
  SteadyTime log_retry_at_{};
  std::size_t group_size_ = 0;  // writes answered by the last batch: about as many will come back

  mutable Mutex mutex_;
  CondVar arrived_;
  std::vector<Queued> queue_ SB_GUARDED_BY(mutex_);
  std::size_t queue_bytes_ SB_GUARDED_BY(mutex_) = 0;
  bool is_stopping_ SB_GUARDED_BY(mutex_) = false;
  Alone* alone_ SB_GUARDED_BY(mutex_) = nullptr;
  CondVar alone_done_;
  std::size_t wake_at_ SB_GUARDED_BY(mutex_) = SIZE_MAX;  // the thread waits for that many writes

  Mutex acks_mutex_;
  std::deque<PendingAck> pending_acks_ SB_GUARDED_BY(acks_mutex_);

  // Blocking writers wait for the next answer here: one wake-up for a whole batch.
  std::atomic<std::uint32_t> answers_{0};

  Histogram
      write_latency_;  // answered by the pipeline's thread, or under acks_mutex_ with --ack stores
  Histogram log_sync_;
  std::atomic<std::uint64_t> writes_{0}, write_errors_{0}, batches_{0};
  std::atomic<std::uint64_t> backpressure_waits_{0}, backpressure_refusals_{0};
  mutable Mutex stats_mutex_;
  std::string log_error_ SB_GUARDED_BY(stats_mutex_);
  std::string hold_reason_ SB_GUARDED_BY(stats_mutex_);
  std::atomic<bool> is_held_{false};
  std::atomic<bool> is_log_failed_{false};
  std::thread thread_;
};

}  // namespace switchback
