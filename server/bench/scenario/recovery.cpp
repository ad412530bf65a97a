// From kill -9 to ready: a child process fills the memtable while both followers are held up, so
// that all of it has to be replayed from the log, and is killed.
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "common/failpoint.hpp"
#include "common/file.hpp"
#include "server/bench/random.hpp"
#include "server/bench/scenario/scenario.hpp"
#include "server/bench/service_host.hpp"
#include "server/bench/summary.hpp"

namespace switchback::bench {
namespace {

constexpr double kGoalMs = 200;
constexpr unsigned kPutsPerWrite = 512;
// Of the memtable's records: past its budget the child would wait for the followers it holds up.
constexpr double kFullShare = 0.98;
// Longer than filling takes, shorter than what makes a follower leave service.
constexpr const char* kHeldFollowers = "lmdb.begin=delay:4000;sqlite.begin=delay:4000";

Status FillMemtable(ServiceHost& host, const ScenarioOptions& options, std::uint64_t seed) {
  SB_RETURN_IF_ERROR(SetFailpoints(kHeldFollowers));
  const auto wanted = static_cast<std::uint64_t>(
      kFullShare * static_cast<double>(host.service().GetStatus().memtable_records_max));
  Random random(seed);
  std::string value(options.value_bytes, '\0');
  for (std::uint64_t put = 0; put + kPutsPerWrite <= wanted; put += kPutsPerWrite) {
    const Status written = host.service().Write([&](Transaction& transaction) -> Status {
      for (unsigned each = 0; each < kPutsPerWrite; ++each) {
        const std::uint64_t index = random.Below(options.record_count);
        FillValue(value, index, random.Next());
        const Key key = KeyOf(index);
        SB_RETURN_IF_ERROR(transaction.Put(host.collection(), View(key), value));
      }
      return {};
    });
    SB_RETURN_IF_ERROR(written);
  }
  return {};
}

// In the child: says '+' or '-' on `report_fd` and waits for its end.
[[noreturn]] void RunVictim(const ScenarioOptions& options, std::uint64_t seed, int report_fd) {
  char outcome = '-';
  auto host = ServiceHost::Reopen({.directory = options.data_directory});
  if (!host) {
    fmt::print(stderr, "recovery: {}\n", host.error().message);
  } else if (const Status filled = FillMemtable(**host, options, seed); !filled) {
    fmt::print(stderr, "recovery: {}\n", filled.error().message);
  } else {
    outcome = '+';
  }
  (void)!write(report_fd, &outcome, 1);  // the parent notices a missing answer as well
  while (true) pause();
}

// Runs a victim and kills it once it has filled its memtable.
Status MakeCrash(const ScenarioOptions& options, std::uint64_t seed) {
  int ends[2];
  if (pipe(ends) != 0) return FailErrno("pipe", errno);
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) return FailErrno("fork", errno);
  if (child == 0) RunVictim(options, seed, writing.get());
  writing.Close();
  char outcome = '-';
  const ssize_t size = read(reading.get(), &outcome, 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (size != 1 || outcome != '+')
    return Fail(ErrorCode::kInternal, "the process to be killed did not fill its memtable");
  return {};
}

// Milliseconds from the start of Open to the first answers of both roles and a durable write.
struct Recovery {
  double open_ms = 0;
  double open_cpu_ms = 0;
  double served_ms = 0;
  std::uint64_t replayed_records = 0;
};

double CpuMs() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

Result<Recovery> Recover(const ScenarioOptions& options) {
  const double cpu_begun_ms = CpuMs();
  const auto begun = std::chrono::steady_clock::now();
  const auto elapsed_ms = [begun] {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
        .count();
  };
  auto host = ServiceHost::Reopen({.directory = options.data_directory});
  if (!host) return Fail(host.error());
  Recovery recovery;
  recovery.open_ms = elapsed_ms();
  recovery.open_cpu_ms = CpuMs() - cpu_begun_ms;
  recovery.replayed_records = (*host)->service().GetStatus().memtable_records;
  const Key key = KeyOf(0);
  for (const bool is_on : {false, true}) {
    SB_RETURN_IF_ERROR((*host)->SetFlag(is_on, std::nullopt));
    const auto session = (*host)->service().NewSession();
    auto value = session->Get((*host)->collection(), View(key));
    if (!value) return Fail(value.error());
    if (!*value) return Fail(ErrorCode::kCorruption, "a record is gone after recovery");
  }
  SB_RETURN_IF_ERROR((*host)->service().Put((*host)->collection(), View(key), "recovered"));
  recovery.served_ms = elapsed_ms();
  SB_RETURN_IF_ERROR((*host)->Settle());
  return recovery;
}

}  // namespace

Status RunRecovery(const ScenarioOptions& options, Report& report, Progress& progress) {
  SB_RETURN_IF_ERROR(progress.Say("recovery: loading"));
  {
    auto host = ServiceHost::Open({.directory = options.data_directory,
                                   .record_count = options.record_count,
                                   .value_bytes = options.value_bytes});
    if (!host) return Fail(host.error());
  }  // closed: fork must find no threads
  std::vector<double> opened;
  std::vector<double> opened_cpu;
  std::vector<double> served;
  std::vector<double> replayed;
  const unsigned rounds = options.RoundsOr(5, 2);
  for (unsigned round = 1; round <= rounds; ++round) {
    SB_RETURN_IF_ERROR(progress.Say(fmt::format("recovery, round {} of {}", round, rounds)));
    SB_RETURN_IF_ERROR(MakeCrash(options, options.seed + round));
    auto recovery = Recover(options);
    if (!recovery) return Fail(recovery.error());
    opened.push_back(recovery->open_ms);
    opened_cpu.push_back(recovery->open_cpu_ms);
    served.push_back(recovery->served_ms);
    replayed.push_back(static_cast<double>(recovery->replayed_records));
  }
  report.figures.push_back({"recovery: records to replay",
                            Median(replayed),
                            "records",
                            {},
                            true,
                            "in the memtable right after Open"});
  report.figures.push_back(
      {"recovery: Open() until ready", Median(opened), "ms", kGoalMs, false, ""});
  report.figures.push_back({"recovery: CPU time of Open()",
                            Median(opened_cpu),
                            "ms",
                            {},
                            true,
                            "of all threads; the followers start before it returns"});
  report.figures.push_back({"recovery: until both roles have answered and a write is durable",
                            Median(served),
                            "ms",
                            {},
                            true,
                            ""});
  report.figures.push_back({"recovery: the slowest Open()",
                            *std::max_element(opened.begin(), opened.end()),
                            "ms",
                            {},
                            true,
                            ""});
  return {};
}

}  // namespace switchback::bench
