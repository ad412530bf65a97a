#include "rollback/yield_to_clients.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

#include "backends/write_pacer.hpp"

namespace switchback {
namespace {

// Whether clients have written lately, by looking at the log now and then. At first it is taken for
// granted.
class WriteWatch {
 public:
  WriteWatch(DbService& service, const Clock& clock)
      : service_(service), clock_(clock), written_at_(clock.Now()) {}

  bool HasWrites() {
    constexpr std::chrono::milliseconds kLately{100};
    const SteadyTime now = clock_.Now();
    const std::uint64_t sequence = service_.GetStatus().last_sequence;
    if (sequence != sequence_) written_at_ = now;
    sequence_ = sequence;
    return now - written_at_ < kLately;
  }

 private:
  DbService& service_;
  const Clock& clock_;
  std::uint64_t sequence_ = 0;
  SteadyTime written_at_;
};

}  // namespace

void YieldToClients(DbService& service, const Clock& clock) {
  constexpr int kNice = 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  PaceWritesOfThisThread(
      [] {}, [watch = WriteWatch(service, clock)]() mutable { return watch.HasWrites(); });
}

}  // namespace switchback
