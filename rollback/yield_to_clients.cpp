#include "rollback/yield_to_clients.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "backends/write_pacer.hpp"

namespace switchback {
namespace {

// Whether clients have written lately, by looking at the log now and then. At first it is taken for
// granted, but not for long.
class WriteWatch {
 public:
  WriteWatch(DbService& service, const Clock& clock)
      : service_(service),
        clock_(clock),
        sequence_(service.GetStatus().last_sequence),
        written_at_(clock.Now() - kLately + kFirst) {}

  bool HasWrites() {
    const SteadyTime now = clock_.Now();
    const std::uint64_t sequence = service_.GetStatus().last_sequence;
    if (sequence != sequence_) written_at_ = now;
    sequence_ = sequence;
    return now - written_at_ < kLately;
  }

 private:
  static constexpr std::chrono::milliseconds kLately{100};
  static constexpr std::chrono::milliseconds kFirst{10};

  DbService& service_;
  const Clock& clock_;
  std::uint64_t sequence_;
  SteadyTime written_at_;
};

// What becomes of the portions of one thread.
class PortionPace {
 public:
  PortionPace(DbService& service, const Clock& clock, int pause_factor)
      : watch_(service, clock), pause_factor_(pause_factor) {}

  // Before a portion goes to the device: whether it is waited for.
  bool Begin() {
    has_writes_ = watch_.HasWrites();
    begun_ = std::chrono::steady_clock::now();
    return has_writes_;
  }
  void End() {
    if (!has_writes_ || pause_factor_ == 0) return;
    std::this_thread::sleep_for(pause_factor_ * (std::chrono::steady_clock::now() - begun_));
  }

 private:
  WriteWatch watch_;
  const int pause_factor_;
  bool has_writes_ = false;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace

void YieldToClients(DbService& service, const Clock& clock, Urgency urgency) {
  // Only the last nice value lets a thread that wakes up go first at once. With 10 it waits for the
  // end of a slice, 3 ms, in one of ten cases (three busy threads on two processors, Linux 6.18).
  const bool is_background = urgency == Urgency::kBackground;
  const int nice = is_background ? 19 : 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
  const auto pace = std::make_shared<PortionPace>(service, clock, is_background ? 4 : 0);
  PaceWritesOfThisThread([pace] { pace->End(); }, [pace] { return pace->Begin(); });
}

Status RunTogether(DbService& service, const Clock& clock, Urgency urgency,
                   const std::vector<std::function<Status()>>& work) {
  std::vector<Status> outcomes(work.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < work.size(); ++i) {
    threads.emplace_back([&, i] {
      YieldToClients(service, clock, urgency);
      outcomes[i] = work[i]();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Status& outcome : outcomes) SB_RETURN_IF_ERROR(outcome);
  return {};
}

}  // namespace switchback
