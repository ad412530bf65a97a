#include "server/bench/async_writers.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "common/check.hpp"
#include "common/sync.hpp"
#include "server/bench/random.hpp"
#include "server/bench/record.hpp"

namespace switchback::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A paced load looks for due writes this often: waking up for each single one would cost more CPU
// than the write. Its latency includes the wait.
constexpr std::chrono::microseconds kTick{200};

// One writer's update.
struct Slot final : WriteOp {
  class AsyncLoad* load = nullptr;
  Key key{};
  std::string value;
  SteadyTime begun;
  SteadyTime done;
  Status outcome;

  Status Run(Transaction& transaction) override;
  void Done(const Status& result) override;
  [[nodiscard]] std::size_t QueuedBytes() const override { return key.size() + value.size(); }
};

// The driving thread owns everything but the list of slots that are done.
class AsyncLoad {
 public:
  AsyncLoad(ServiceHost& host, const AsyncPlan& plan)
      : host_(host), plan_(plan), random_(plan.seed), version_(Mix64(plan.seed) | 1) {
    for (unsigned writer = 0; writer < plan.writers; ++writer) {
      slots_.emplace_back();
      slots_.back().load = this;
      slots_.back().value.resize(plan.value_bytes);
      free_.push_back(&slots_.back());
    }
  }

  RunResult Run(std::chrono::nanoseconds warmup, std::chrono::nanoseconds duration) {
    measured_from_ = SteadyClock::now() + warmup;
    end_ = measured_from_ + duration;
    if (plan_.rate > 0) {
      RunPaced();
    } else {
      RunClosed();
    }
    while (free_.size() < slots_.size()) Collect(SteadyTime::max());
    latency_.AddTo(result_.latency);
    result_.latency_by_kind[static_cast<std::size_t>(OperationKind::kUpdate)] = result_.latency;
    result_.operations = result_.latency.Count();
    result_.seconds = std::chrono::duration<double>(duration).count();
    return result_;
  }

  [[nodiscard]] const Collection& collection() const { return host_.collection(); }

  // On a thread of the service.
  void Completed(Slot& slot) SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    done_.push_back(&slot);
    // One wake-up for all that a batch answers.
    if (done_.size() == 1) some_done_.NotifyOne();
  }

 private:
  void RunClosed() {
    while (true) {
      const SteadyTime now = SteadyClock::now();
      if (now >= end_) return;
      for (Slot* slot : free_) Submit(*slot, now);
      free_.clear();
      Collect(end_);
    }
  }

  void RunPaced() {
    const std::chrono::nanoseconds interval(static_cast<std::int64_t>(1e9 / plan_.rate));
    SteadyTime due = SteadyClock::now();
    while (due < end_) {
      const SteadyTime now = SteadyClock::now();
      for (; due <= now && due < end_ && !free_.empty(); due += interval) {
        Submit(*free_.back(), due);
        free_.pop_back();
      }
      Collect(now + kTick);
    }
  }

  void Submit(Slot& slot, SteadyTime begun) {
    const std::uint64_t index = random_.Below(plan_.record_count);
    slot.key = KeyOf(index);
    FillValue(slot.value, index, version_ += 2);
    slot.begun = begun;
    host_.service().Submit(slot);
  }

  // Takes what is done; waits for the first, until `deadline`. A paced load waits out its tick.
  void Collect(SteadyTime deadline) SB_EXCLUDES(mutex_) {
    std::vector<Slot*> done;
    {
      MutexLock lock(mutex_);
      const bool waits_for_time = plan_.rate > 0 && deadline != SteadyTime::max();
      while (waits_for_time || done_.empty()) {
        if (deadline == SteadyTime::max())
          some_done_.Wait(mutex_);
        else if (!some_done_.WaitUntil(mutex_, deadline))
          break;
      }
      done.swap(done_);
    }
    for (Slot* slot : done) {
      CountSlot(*slot);
      free_.push_back(slot);
    }
  }

  void CountSlot(const Slot& slot) {
    if (slot.begun < measured_from_ || slot.begun >= end_) return;
    latency_.Record(slot.done - slot.begun);
    if (slot.outcome) return;
    ++result_.errors;
    if (result_.first_error.empty()) result_.first_error = slot.outcome.error().message;
  }

  ServiceHost& host_;
  const AsyncPlan plan_;
  Random random_;
  std::uint64_t version_;
  std::deque<Slot> slots_;  // never moved: the service holds pointers
  std::vector<Slot*> free_;
  SteadyTime measured_from_;
  SteadyTime end_;
  Histogram latency_;
  RunResult result_;

  Mutex mutex_;
  CondVar some_done_;
  std::vector<Slot*> done_ SB_GUARDED_BY(mutex_);
};

Status Slot::Run(Transaction& transaction) {
  return transaction.Put(load->collection(), View(key), value);
}

void Slot::Done(const Status& result) {
  done = SteadyClock::now();
  outcome = result;
  load->Completed(*this);
}

}  // namespace

RunResult RunAsyncWrites(ServiceHost& host, const AsyncPlan& plan, std::chrono::nanoseconds warmup,
                         std::chrono::nanoseconds duration) {
  SB_CHECK(plan.writers > 0 && plan.record_count > 0, "a plan does something");
  AsyncLoad load(host, plan);
  return load.Run(warmup, duration);
}

}  // namespace switchback::bench
