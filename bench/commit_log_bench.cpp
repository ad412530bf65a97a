// Appends to the commit log, each durable, beside the disk's own limit: the same bytes written to a
// preallocated file and synced.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "server/bench/data_directory.hpp"
#include "server/bench/log_probe.hpp"
#include "service/commit_log.hpp"

namespace switchback::bench {
namespace {

// range(0): bytes of a batch. 2 KiB are 16 records of 100 bytes.
void BM_CommitLogAppend(benchmark::State& state) {
  auto directory = DataDirectory::Create("");
  if (!directory) {
    state.SkipWithError(directory.error().message.c_str());
    return;
  }
  CommitLogOptions options;
  options.directory = directory->Below("log");
  auto log = CommitLog::Open(std::move(options));
  if (!log) {
    state.SkipWithError(log.error().message.c_str());
    return;
  }
  const std::string preamble(16, 'p');
  const std::string effects(static_cast<std::size_t>(state.range(0)) - preamble.size(), 'e');
  for (auto _ : state) {
    const Status appended = (*log)->Append(preamble, effects);
    if (!appended) {
      state.SkipWithError(appended.error().message.c_str());
      return;
    }
    // As the service does it: what both stores hold durably may go, and its files come back.
    if ((*log)->last_sequence() % 1024 == 0) (*log)->TrimBefore((*log)->last_sequence());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_CommitLogAppend)->Arg(128)->Arg(2048)->Arg(64 << 10)->Arg(1 << 20)->UseRealTime();

void BM_DiskSync(benchmark::State& state) {
  auto directory = DataDirectory::Create("");
  if (!directory) {
    state.SkipWithError(directory.error().message.c_str());
    return;
  }
  auto probe = LogProbe::Create(directory->Below("probe"));
  if (!probe) {
    state.SkipWithError(probe.error().message.c_str());
    return;
  }
  for (auto _ : state) {
    auto synced = probe->RunOnce(static_cast<std::size_t>(state.range(0)));
    if (!synced) {
      state.SkipWithError(synced.error().message.c_str());
      return;
    }
    state.SetIterationTime(std::chrono::duration<double>(*synced).count());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_DiskSync)->Arg(128)->Arg(2048)->Arg(64 << 10)->Arg(1 << 20)->UseManualTime();

}  // namespace
}  // namespace switchback::bench
