#include "server/bench/worker.hpp"

#include <time.h>

#include <algorithm>

#include "common/check.hpp"

namespace switchback::bench {
namespace {

// A worker that waits for its turn looks this often whether the load has ended.
constexpr std::chrono::milliseconds kPauseMax{20};

// steady_clock is CLOCK_MONOTONIC; an absolute sleep does not drift with interruptions.
void SleepUntil(SteadyTime moment) {
  const auto since =
      std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch());
  timespec wake{};
  wake.tv_sec = static_cast<time_t>(since.count() / 1'000'000'000);
  wake.tv_nsec = static_cast<long>(since.count() % 1'000'000'000);
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
}

}  // namespace

Worker::Worker(Target& target, const LoadPlan& plan, unsigned index, int window_count,
               const std::atomic<int>& window, std::unique_ptr<Client> client)
    : target_(target),
      plan_(plan),
      is_paced_(plan.rate > 0),
      window_(window),
      client_(std::move(client)),
      chooser_(NewKeyChooser(plan.workload->DistributionFor(plan.distribution),
                             target.records().Visible(), Mix64(plan.seed) + index)),
      random_(Mix64(plan.seed + 1) + index),
      counters_(static_cast<std::size_t>(window_count)),
      // Versions of different workers and seeds must differ, or an update might change nothing.
      version_(Mix64(Mix64(plan.seed + 2) + index) | 1),
      pending_values_(std::size_t{plan.batch} * plan.value_bytes) {
  SB_CHECK(plan.batch > 0 && plan.turn > 0 && plan.threads > 0, "a plan does something");
  if (!is_paced_) return;
  const double seconds = plan.threads / plan.rate;
  interval_ = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  // Workers take turns, so that the load is even.
  due_ = SteadyTime(interval_ * index / plan.threads);
}

void Worker::Run(SteadyTime start) {
  if (is_paced_) due_ = start + due_.time_since_epoch();
  while (true) {
    record_count_ = target_.records().Visible();
    for (unsigned operation = 0; operation < plan_.turn; ++operation) {
      if (is_paced_ && !WaitUntilDue()) break;
      const int window = window_.load(std::memory_order_relaxed);
      if (window == kWindowStop) break;
      counting_ = &counters_[static_cast<std::size_t>(window)];
      RunOne(plan_.workload->Choose(random_));
      due_ += interval_;
    }
    client_->EndTurn();
    if (window_.load(std::memory_order_relaxed) == kWindowStop) break;
  }
  if (!pending_.empty()) CommitWrites();
  client_->EndTurn();
}

bool Worker::WaitUntilDue() {
  SteadyTime now = std::chrono::steady_clock::now();
  if (now >= due_) return true;
  client_->EndTurn();  // nobody holds a snapshot over a pause
  while (now < due_) {
    if (window_.load(std::memory_order_relaxed) == kWindowStop) return false;
    SleepUntil(std::min(due_, now + kPauseMax));
    now = std::chrono::steady_clock::now();
  }
  return true;
}

void Worker::RunOne(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead: RunRead(); return;
    case OperationKind::kScan: RunScan(); return;
    case OperationKind::kReadModifyWrite: RunReadModifyWrite(); return;
    case OperationKind::kUpdate:
    case OperationKind::kInsert: AddWrite(kind); return;
  }
}

void Worker::RunRead() {
  const Key key = KeyOf(ChooseIndex());
  const SteadyTime begun = Begun();
  const auto value = client_->Read(View(key));
  // Both ends of the value, so that a store that answers with a pointer has to bring the page in.
  if (value && *value && !(*value)->empty()) {
    touched_ = static_cast<unsigned char>(touched_ + (*value)->front() + (*value)->back());
  }
  Count(OperationKind::kRead, begun, value ? Status() : Status(Fail(value.error())));
  if (value && !*value) ++counting_->absent;
}

void Worker::RunScan() {
  const Key key = KeyOf(ChooseIndex());
  const std::size_t length = 1 + random_.Below(kScanLengthMax);
  const SteadyTime begun = Begun();
  const auto visited = client_->Scan(View(key), length);
  Count(OperationKind::kScan, begun, visited ? Status() : Status(Fail(visited.error())));
  if (visited && *visited == 0) ++counting_->absent;
}

void Worker::RunReadModifyWrite() {
  const std::uint64_t index = ChooseIndex();
  const Key key = KeyOf(index);
  std::string value(plan_.value_bytes, '\0');
  FillValue(value, index, version_ += 2);
  const SteadyTime begun = Begun();
  Count(OperationKind::kReadModifyWrite, begun, client_->ReadModifyWrite({View(key), value}));
}

void Worker::AddWrite(OperationKind kind) {
  const bool is_insert = kind == OperationKind::kInsert;
  const std::uint64_t index = is_insert ? target_.records().Take() : ChooseIndex();
  const std::span<char> values(pending_values_);
  FillValue(values.subspan(pending_.size() * plan_.value_bytes, plan_.value_bytes), index,
            version_ += 2);
  pending_.push_back({KeyOf(index), kind, index, Begun()});
  if (pending_.size() == plan_.batch) CommitWrites();
}

void Worker::CommitWrites() {
  views_.clear();
  for (std::size_t at = 0; at < pending_.size(); ++at) {
    views_.push_back({View(pending_[at].key),
                      {pending_values_.data() + at * plan_.value_bytes, plan_.value_bytes}});
  }
  // Without a rate, a write's latency is that of its commit, not of the gathering before.
  const SteadyTime begun = std::chrono::steady_clock::now();
  const Status outcome = client_->Write(views_);
  for (const Pending& write : pending_) {
    Count(write.kind, is_paced_ ? write.due : begun, outcome);
    if (write.kind == OperationKind::kInsert) target_.records().Stored(write.index);
  }
  pending_.clear();
}

void Worker::Count(OperationKind kind, SteadyTime begun, const Status& outcome) {
  counting_->latency[static_cast<std::size_t>(kind)].Record(std::chrono::steady_clock::now() -
                                                            begun);
  if (outcome) [[likely]]
    return;
  ++counting_->errors;
  if (counting_->first_error.empty()) counting_->first_error = outcome.error().message;
}

RunResult Worker::Result(int window) const {
  const Counters& counters = counters_.at(static_cast<std::size_t>(window));
  RunResult result;
  result.errors = counters.errors;
  result.absent = counters.absent;
  result.first_error = counters.first_error;
  for (std::size_t kind = 0; kind < kOperationKindCount; ++kind) {
    counters.latency[kind].AddTo(result.latency_by_kind[kind]);
    result.latency += result.latency_by_kind[kind];
  }
  result.operations = result.latency.Count();
  return result;
}

}  // namespace switchback::bench
