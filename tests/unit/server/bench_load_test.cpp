// The load generator against a target in memory that keeps a record of what was asked of it.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "common/sync.hpp"
#include "server/bench/load_generator.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kRecords = 100;

// Counts calls; stops nobody. A client that reaches `calls_max` closes the gate, and the test goes
// on: no clock decides how long a test runs.
class FakeTarget : public Target {
 public:
  struct Calls {
    std::uint64_t reads = 0, absent = 0, scans = 0, writes = 0, written = 0, modifies = 0;
    std::uint64_t turns = 0;
    std::size_t batch_max = 0;
    std::uint64_t unchanged_values = 0;
    [[nodiscard]] std::uint64_t Operations() const { return reads + scans + written + modifies; }
  };

  explicit FakeTarget(std::uint64_t calls_wanted) : calls_wanted_(calls_wanted) {
    for (std::uint64_t index = 0; index < kRecords; ++index)
      records_map_[std::string(View(KeyOf(index)))] = "loaded";
  }

  [[nodiscard]] const std::string& name() const override { return name_; }
  Status Prepare() override {
    ++prepared_;
    return {};
  }
  Result<std::unique_ptr<Client>> NewClient() override;
  Status Settle() override { return {}; }
  [[nodiscard]] RecordCounter& records() override { return records_; }

  void WaitForCalls() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (calls_.Operations() < calls_wanted_) enough_.Wait(mutex_);
  }
  Calls calls() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return calls_;
  }
  [[nodiscard]] int prepared() const { return prepared_; }
  std::vector<std::string> keys() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return keys_;
  }
  std::set<std::size_t> scan_lengths() SB_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return scan_lengths_;
  }
  bool fails = false;

 private:
  friend class FakeClient;
  const std::string name_ = "fake";
  const std::uint64_t calls_wanted_;
  RecordCounter records_{kRecords};
  int prepared_ = 0;
  Mutex mutex_;
  CondVar enough_;
  Calls calls_ SB_GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> records_map_ SB_GUARDED_BY(mutex_);
  std::vector<std::string> keys_ SB_GUARDED_BY(mutex_);  // of reads, in order
  std::set<std::size_t> scan_lengths_ SB_GUARDED_BY(mutex_);
};

class FakeClient : public Client {
 public:
  explicit FakeClient(FakeTarget& target) : target_(target) {}

  Result<std::optional<std::string_view>> Read(std::string_view key) override {
    MutexLock lock(target_.mutex_);
    ++target_.calls_.reads;
    target_.keys_.emplace_back(key);
    target_.enough_.NotifyAll();
    if (target_.fails) return Fail(ErrorCode::kIo, "the disk is gone");
    const auto found = target_.records_map_.find(key);
    if (found == target_.records_map_.end()) return std::optional<std::string_view>();
    value_ = found->second;
    return std::optional<std::string_view>(value_);
  }
  Result<std::size_t> Scan(std::string_view, std::size_t count) override {
    MutexLock lock(target_.mutex_);
    ++target_.calls_.scans;
    target_.scan_lengths_.insert(count);
    target_.enough_.NotifyAll();
    EXPECT_GE(count, 1U);
    EXPECT_LE(count, kScanLengthMax);
    return count;
  }
  Status Write(std::span<const RecordView> records) override {
    MutexLock lock(target_.mutex_);
    ++target_.calls_.writes;
    target_.calls_.written += records.size();
    target_.calls_.batch_max = std::max(target_.calls_.batch_max, records.size());
    for (const RecordView& record : records) Store(record);
    target_.enough_.NotifyAll();
    if (target_.fails) return Fail(ErrorCode::kIo, "the disk is gone");
    return {};
  }
  Status ReadModifyWrite(const RecordView& record) override {
    MutexLock lock(target_.mutex_);
    ++target_.calls_.modifies;
    Store(record);
    target_.enough_.NotifyAll();
    return {};
  }
  void EndTurn() noexcept override {
    MutexLock lock(target_.mutex_);
    ++target_.calls_.turns;
  }

 private:
  void Store(const RecordView& record) SB_REQUIRES(target_.mutex_) {
    std::string& stored = target_.records_map_[std::string(record.key)];
    if (stored == record.value) ++target_.calls_.unchanged_values;
    stored = std::string(record.value);
  }

  FakeTarget& target_;
  std::string value_;
};

Result<std::unique_ptr<Client>> FakeTarget::NewClient() {
  return std::unique_ptr<Client>(std::make_unique<FakeClient>(*this));
}

LoadPlan PlanOf(char letter) {
  LoadPlan plan;
  plan.workload = FindWorkload(letter);
  plan.value_bytes = 16;
  return plan;
}

TEST(BenchLoad, CountsEveryOperationThatTheTargetSaw) {
  for (const char letter : {'A', 'B', 'C', 'D', 'E', 'F', 'W'}) {
    FakeTarget target(2000);
    LoadGenerator load(target, PlanOf(letter), 1);

    ASSERT_TRUE(load.Start());
    target.WaitForCalls();
    load.Stop();

    const RunResult result = load.Result(0);
    EXPECT_EQ(result.operations, target.calls().Operations()) << letter;
    EXPECT_EQ(result.latency.Count(), result.operations) << letter;
    EXPECT_EQ(result.errors, 0U) << letter;
    EXPECT_EQ(result.absent, 0U) << letter;
    EXPECT_GT(result.seconds, 0);
    EXPECT_EQ(target.prepared(), 1);
  }
}

TEST(BenchLoad, TheSameSeedReadsTheSameKeysInTheSameOrder) {
  constexpr std::size_t kCompared = 500;
  std::vector<std::vector<std::string>> runs;
  for (const std::uint64_t seed : {7U, 7U, 8U}) {
    FakeTarget target(kCompared);
    LoadPlan plan = PlanOf('C');
    plan.threads = 1;
    plan.seed = seed;
    LoadGenerator load(target, plan, 1);
    ASSERT_TRUE(load.Start());
    target.WaitForCalls();
    load.Stop();
    runs.push_back(target.keys());
    runs.back().resize(kCompared);
  }

  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_NE(runs[0], runs[2]);
}

TEST(BenchLoad, ScansHaveEveryLengthUpToTheLongest) {
  FakeTarget target(5000);
  LoadGenerator load(target, PlanOf('E'), 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  EXPECT_EQ(target.scan_lengths().size(), kScanLengthMax);
  EXPECT_EQ(*target.scan_lengths().begin(), 1U);
  EXPECT_EQ(*target.scan_lengths().rbegin(), kScanLengthMax);
}

TEST(BenchLoad, OperationsCountInTheWindowThatTheyBeganIn) {
  FakeTarget target(1000);
  LoadGenerator load(target, PlanOf('C'), 3);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.EnterWindow(2);
  load.Stop();

  EXPECT_GE(load.Result(0).operations, 900U);  // each thread may be late by one
  EXPECT_EQ(load.Result(1).operations, 0U);
  EXPECT_EQ(load.Result(0).operations + load.Result(2).operations, target.calls().Operations());
}

TEST(BenchLoad, InsertsMakeNewRecordsThatReadsThenChoose) {
  FakeTarget target(5000);
  LoadGenerator load(target, PlanOf('D'), 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  EXPECT_EQ(target.records().Visible(), kRecords + target.calls().written);
  EXPECT_EQ(load.Result(0).absent, 0U);
}

TEST(BenchLoad, UpdatesChangeBytesEachTime) {
  FakeTarget target(20'000);
  LoadPlan plan = PlanOf('W');
  plan.threads = 3;
  LoadGenerator load(target, plan, 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  EXPECT_EQ(target.calls().unchanged_values, 0U);
}

TEST(BenchLoad, GathersWritesIntoTransactionsOfTheBatch) {
  FakeTarget target(1000);
  LoadPlan plan = PlanOf('W');
  plan.batch = 8;
  plan.threads = 1;
  LoadGenerator load(target, plan, 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  EXPECT_EQ(target.calls().batch_max, 8U);
  // Every transaction is full but for the last one, cut short by the stop.
  EXPECT_EQ(target.calls().writes, (target.calls().written + 7) / 8);
}

TEST(BenchLoad, EndsItsTurnAfterTheOperationsOfOne) {
  FakeTarget target(1000);
  LoadPlan plan = PlanOf('C');
  plan.turn = 10;
  plan.threads = 1;
  LoadGenerator load(target, plan, 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  const auto calls = target.calls();
  EXPECT_GE(calls.turns, calls.reads / 10);
  EXPECT_LE(calls.turns, calls.reads / 10 + 2);
}

TEST(BenchLoad, CountsFailuresAndKeepsTheFirstReason) {
  FakeTarget target(100);
  target.fails = true;
  LoadGenerator load(target, PlanOf('A'), 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  const RunResult result = load.Result(0);
  EXPECT_EQ(result.errors, result.operations);
  EXPECT_EQ(result.first_error, "the disk is gone");
}

TEST(BenchLoad, APacedLoadChargesDelayToTheOperationsThatWereDue) {
  // A thousand million a second cannot be kept up with: each operation is later than the last.
  FakeTarget target(20'000);
  LoadPlan plan = PlanOf('C');
  plan.rate = 1e9;
  plan.threads = 1;
  LoadGenerator load(target, plan, 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  const RunResult result = load.Result(0);
  const double last_us = result.QuantileUs(1.0);
  // The last operation was due almost at the start, so it waited for nearly the whole run.
  EXPECT_GT(last_us, result.seconds * 1e6 / 2);
}

TEST(BenchLoad, APacedLoadStopsWhileItWaits) {
  FakeTarget target(1);
  LoadPlan plan = PlanOf('C');
  plan.rate = 0.001;  // the second operation would be due in a quarter of an hour
  plan.threads = 1;
  LoadGenerator load(target, plan, 1);

  ASSERT_TRUE(load.Start());
  target.WaitForCalls();
  load.Stop();

  EXPECT_EQ(load.Result(0).operations, 1U);
}

TEST(BenchRunResult, AddsUpThreads) {
  RunResult left;
  left.operations = 3;
  left.errors = 1;
  left.first_error = "one";
  left.latency.counts[10] = 3;
  RunResult right;
  right.operations = 2;
  right.first_error = "two";
  right.latency.counts[10] = 2;
  right.seconds = 4;

  left.Add(right);
  left.seconds = 2;

  EXPECT_EQ(left.operations, 5U);
  EXPECT_EQ(left.errors, 1U);
  EXPECT_EQ(left.first_error, "one");
  EXPECT_EQ(left.latency.Count(), 5U);
  EXPECT_DOUBLE_EQ(left.OperationsPerSecond(), 2.5);
}

}  // namespace
}  // namespace switchback::bench
