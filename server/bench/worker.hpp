// One thread of a load: draws operations, runs them and counts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/clock.hpp"
#include "server/bench/key_chooser.hpp"
#include "server/bench/random.hpp"
#include "server/bench/run_result.hpp"
#include "server/bench/target.hpp"
#include "server/bench/workload.hpp"

namespace switchback::bench {

// How a load is to run.
struct LoadPlan {
  const Workload* workload = FindWorkload('A');
  Distribution distribution = Distribution::kZipfian;
  std::size_t value_bytes = 100;
  unsigned threads = 2;
  // Operations per second of all threads together; 0 = each next one when the last is done. At a
  // rate, latency counts from the moment an operation was due: a stall is charged to everything
  // that it delayed (no coordinated omission).
  double rate = 0;
  unsigned batch = 1;  // updates and inserts in one write transaction
  unsigned turn = 16;  // operations that share a read snapshot
  std::uint64_t seed = 1;
};

// Set by LoadGenerator, read by workers before each operation: the window to count it in.
inline constexpr int kWindowStop = -1;

// Used by the thread that calls Run, and by its owner before and after.
class Worker {
 public:
  // `target` and `window` outlive it. `index` counts the workers of a load from 0.
  Worker(Target& target, const LoadPlan& plan, unsigned index, int window_count,
         const std::atomic<int>& window, std::unique_ptr<Client> client);

  // Runs until the window is kWindowStop.
  void Run(SteadyTime start);
  // Of one window, `seconds` and `cpu_seconds` left at 0.
  [[nodiscard]] RunResult Result(int window) const;

 private:
  struct Counters {
    std::uint64_t errors = 0;
    std::uint64_t absent = 0;
    std::string first_error;
    std::array<Histogram, kOperationKindCount> latency;
  };
  struct Pending {
    Key key;
    OperationKind kind;
    std::uint64_t index;
    SteadyTime due;
  };

  bool WaitUntilDue();
  void RunOne(OperationKind kind);
  void RunRead();
  void RunScan();
  void RunReadModifyWrite();
  void AddWrite(OperationKind kind);
  void CommitWrites();
  void Count(OperationKind kind, SteadyTime begun, const Status& outcome);
  std::uint64_t ChooseIndex() { return chooser_->Next(record_count_); }
  // The moment from which the present operation's latency counts.
  [[nodiscard]] SteadyTime Begun() const {
    return is_paced_ ? due_ : std::chrono::steady_clock::now();
  }

  Target& target_;
  const LoadPlan plan_;
  const bool is_paced_;
  const std::atomic<int>& window_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<KeyChooser> chooser_;
  Random random_;

  std::vector<Counters> counters_;  // by window
  Counters* counting_ = nullptr;
  std::chrono::nanoseconds interval_{0};
  SteadyTime due_;
  // Records that a snapshot of the present turn is sure to hold: looked up before it is opened.
  std::uint64_t record_count_ = 0;
  std::uint64_t version_;
  unsigned char touched_ = 0;  // keeps the compiler from dropping the reading of values

  std::vector<Pending> pending_;      // writes of the transaction that is being gathered
  std::vector<char> pending_values_;  // plan_.batch values of plan_.value_bytes
  std::vector<RecordView> views_;
};

}  // namespace switchback::bench
