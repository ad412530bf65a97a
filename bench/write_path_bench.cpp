// Durable writes in process: one writer or many, one record a transaction or many.
// `switchback bench --scenario writes` compares them with the disk and the bare engines.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "common/log.hpp"
#include "server/bench/data_directory.hpp"
#include "server/bench/random.hpp"
#include "server/bench/record.hpp"
#include "server/bench/service_host.hpp"

namespace switchback::bench {
namespace {

constexpr std::uint64_t kRecords = 100'000;
constexpr std::size_t kValueBytes = 100;

class LoadedService {
 public:
  static ServiceHost& Get() {
    static LoadedService loaded;
    return *loaded.host_;
  }

 private:
  LoadedService() : directory_(Need(DataDirectory::Create(""))) {
    SetLogLevel(LogLevel::kError);
    host_ = Need(ServiceHost::Open(
        {.directory = directory_.path(), .record_count = kRecords, .value_bytes = kValueBytes}));
  }

  template <class T>
  static T Need(Result<T> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }

  DataDirectory directory_;
  std::unique_ptr<ServiceHost> host_;
};

// range(0): records in one transaction.
void BM_Write(benchmark::State& state) {
  ServiceHost& host = LoadedService::Get();
  Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  std::string value(kValueBytes, '\0');
  for (auto _ : state) {
    const Status written = host.service().Write([&](Transaction& transaction) -> Status {
      for (std::int64_t put = 0; put < state.range(0); ++put) {
        const std::uint64_t index = random.Below(kRecords);
        FillValue(value, index, random.Next());
        const Key key = KeyOf(index);
        SB_RETURN_IF_ERROR(transaction.Put(host.collection(), View(key), value));
      }
      return {};
    });
    if (!written) {
      state.SkipWithError(written.error().message.c_str());
      return;
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Write)->Arg(1)->Arg(64)->Arg(1024)->UseRealTime();
BENCHMARK(BM_Write)->Arg(1)->Threads(16)->UseRealTime();

// What a command such as INCR costs: a read of the routed store under the memtable, then a put.
void BM_ReadModifyWrite(benchmark::State& state) {
  ServiceHost& host = LoadedService::Get();
  Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  for (auto _ : state) {
    const Key key = KeyOf(random.Below(kRecords));
    const Status written = host.service().Write([&](Transaction& transaction) -> Status {
      auto value = transaction.Get(host.collection(), View(key));
      if (!value) return Fail(value.error());
      std::string changed(value->value_or(""));
      changed.resize(kValueBytes);
      FillValue(changed, random.Next(), 1);
      return transaction.Put(host.collection(), View(key), changed);
    });
    if (!written) {
      state.SkipWithError(written.error().message.c_str());
      return;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ReadModifyWrite)->UseRealTime();
BENCHMARK(BM_ReadModifyWrite)->Threads(16)->UseRealTime();

}  // namespace
}  // namespace switchback::bench
