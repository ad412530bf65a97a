// Point reads in process: each role through the service, and the bare engines beside them, on the
// same records. `switchback bench --scenario reads` gives the ratios of interleaved rounds; this is
// for a profiler.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "common/log.hpp"
#include "server/bench/data_directory.hpp"
#include "server/bench/random.hpp"
#include "server/bench/target_set.hpp"
#include "service/metrics.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kRecords = 1'000'000;
constexpr std::size_t kChosenKeys = 1 << 16;

class SilentProgress : public Progress {
 public:
  Status Say(const std::string&) override { return {}; }
  void End() override {}
};

// Loaded once, before the first benchmark that needs it.
class Stores {
 public:
  static Stores& Get() {
    static Stores stores;
    return stores;
  }
  Target& Find(const char* name) { return targets_->Find(name); }
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

 private:
  Stores() : directory_(Need(DataDirectory::Create(""))) {
    SetLogLevel(LogLevel::kError);
    BenchOptions options;
    options.record_count = kRecords;
    options.data_directory = directory_.path();
    options.targets = Need(ParseTargets("legacy,unified,25%,lmdb,sqlite"));
    SilentProgress progress;
    targets_ = Need(TargetSet::Open(options, progress));
    Random random(1);
    for (std::size_t key = 0; key < kChosenKeys; ++key)
      keys_.push_back(KeyOf(random.Below(kRecords)));
  }

  template <class T>
  static T Need(Result<T> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }

  DataDirectory directory_;
  std::unique_ptr<TargetSet> targets_;
  std::vector<Key> keys_;
};

// `turn` = range(0): reads that share a snapshot.
void BM_Read(benchmark::State& state, const char* name) {
  Target& target = Stores::Get().Find(name);
  if (state.thread_index() == 0 && !target.Prepare()) {
    state.SkipWithError("the flag cannot be set");
    return;
  }
  auto client = target.NewClient();
  if (!client) {
    state.SkipWithError(client.error().message.c_str());
    return;
  }
  const std::vector<Key>& keys = Stores::Get().keys();
  const auto turn = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t reads = static_cast<std::uint64_t>(state.thread_index()) * 7919;
  for (auto _ : state) {
    auto value = (*client)->Read(View(keys[reads % keys.size()]));
    benchmark::DoNotOptimize(value);
    if (++reads % turn == 0) (*client)->EndTurn();
  }
  (*client)->EndTurn();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(BM_Read, lmdb, "lmdb")->Arg(1)->Arg(16)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(BM_Read, legacy, "legacy")->Arg(1)->Arg(16)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(BM_Read, sqlite, "sqlite")->Arg(1)->Arg(16)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(BM_Read, unified, "unified")->Arg(1)->Arg(16)->ThreadRange(1, 2)->UseRealTime();
BENCHMARK_CAPTURE(BM_Read, quarter, "25%")->Arg(16)->UseRealTime();

// What it costs to count one read: two looks at the clock, and what is stored.
void BM_CountRead(benchmark::State& state) {
  using SteadyClock = std::chrono::steady_clock;
  CollectionCatalog catalog;
  const auto collection = catalog.Intern("counted");
  MetricsRegistry registry;
  const MetricsRegistry::BlockPtr block = registry.NewBlock();
  for (auto _ : state) {
    const auto begun = SteadyClock::now();
    block->BeginRead(Role::kLegacy, begun);
    benchmark::ClobberMemory();
    block->EndRead(Role::kLegacy);
    block->Of(*collection, Role::kLegacy, Operation::kGet)
        .latency.Record(SteadyClock::now() - begun);
  }
}
BENCHMARK(BM_CountRead);

}  // namespace
}  // namespace switchback::bench
