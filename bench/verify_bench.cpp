// The first fill of unified, and a verify of both stores after it, without load: a verify is to
// cost at most a quarter of the copy. Also how much memory a verify takes.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "common/log.hpp"
#include "migration/verifier.hpp"
#include "server/bench/data_directory.hpp"
#include "server/bench/lmdb_store.hpp"
#include "server/bench/service_host.hpp"

namespace switchback::bench {
namespace {

using WaitClock = std::chrono::steady_clock;

template <class T>
T Need(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}
void Need(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  std::exit(1);
}

// Anonymous memory of this process: what it has taken itself, without the pages of mapped files.
double AnonymousMegabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  }
  return 0;
}

// Of this process, all threads: what a machine that others use as well does not blur.
double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// A service whose unified store was filled once; `fill_seconds` is what that took.
class FilledStores {
 public:
  FilledStores(std::uint64_t records, std::size_t value_bytes)
      : directory_(Need(DataDirectory::Create(""))) {
    SetLogLevel(LogLevel::kError);
    {
      auto source = Need(LmdbStore::Open(ServiceHost::LegacyPath(directory_.path())));
      Need(source->Load(records, value_bytes));
    }
    host_ = Need(ServiceHost::Reopen({.directory = directory_.path()}));
    const auto begun = WaitClock::now();
    const double cpu_begun = CpuSeconds();
    Need(host_->FillUnified());
    fill_seconds = std::chrono::duration<double>(WaitClock::now() - begun).count();
    fill_cpu_seconds = CpuSeconds() - cpu_begun;
    journal_ = Need(Journal::Open(directory_.Below("verify-journal.sqlite"), SystemClock()));
    verifier = std::make_unique<Verifier>(host_->service(), *journal_, SystemClock());
  }
  ~FilledStores() { verifier.reset(); }

  double fill_seconds = 0;
  double fill_cpu_seconds = 0;
  std::unique_ptr<Verifier> verifier;

 private:
  DataDirectory directory_;
  std::unique_ptr<ServiceHost> host_;
  std::unique_ptr<Journal> journal_;
};

// range(0) records of range(1) bytes.
void BM_Verify(benchmark::State& state) {
  const auto records = static_cast<std::uint64_t>(state.range(0));
  FilledStores stores(records, static_cast<std::size_t>(state.range(1)));
  const double megabytes_before = AnonymousMegabytes();
  double megabytes_most = 0;
  double cpu_seconds = 0;
  double bytes = 0;
  double seconds = 0;
  for (auto _ : state) {
    const auto begun = WaitClock::now();
    const double cpu_begun = CpuSeconds();
    Need(stores.verifier->Start({.is_fresh = true}, "bench"));
    VerifyStatus status;
    while ((status = stores.verifier->GetStatus()).state == "running") {
      megabytes_most = std::max(megabytes_most, AnonymousMegabytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::chrono::duration<double> elapsed = WaitClock::now() - begun;
    if (status.state != "clean" || status.records_compared != records)
      return state.SkipWithError(("verify: " + status.state + " " + status.error).c_str());
    state.SetIterationTime(elapsed.count());
    seconds += elapsed.count();
    cpu_seconds += CpuSeconds() - cpu_begun;
    bytes += static_cast<double>(status.bytes_compared);
  }
  const double verify_seconds = seconds / static_cast<double>(state.iterations());
  state.counters["records/s"] = static_cast<double>(records) / verify_seconds;
  state.counters["MB/s"] = bytes / seconds / 1e6;
  state.counters["copy records/s"] = static_cast<double>(records) / stores.fill_seconds;
  state.counters["% of copy"] = 100 * verify_seconds / stores.fill_seconds;
  state.counters["records/CPU-s"] =
      static_cast<double>(records) * static_cast<double>(state.iterations()) / cpu_seconds;
  state.counters["copy records/CPU-s"] = static_cast<double>(records) / stores.fill_cpu_seconds;
  state.counters["MiB"] = megabytes_most - megabytes_before;
}
BENCHMARK(BM_Verify)
    ->ArgNames({"records", "bytes"})
    ->Args({1'000'000, 100})
    ->Args({200'000, 1024})
    ->Iterations(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace switchback::bench
