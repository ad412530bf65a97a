#include "rollback/guard/guard_machine.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace switchback {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kTick{100};

// Traffic of both roles, and the guard that looks at it.
class World {
 public:
  explicit World(const GuardSettings& settings = {}) : machine(settings) {
    for (auto& role : sample.roles) role.is_in_sync = true;
    sample.now = SteadyTime(1h);
    machine.Tick(sample);
  }

  GuardVerdict Tick() {
    sample.now += kTick;
    return machine.Tick(sample);
  }
  void Read(Role role, std::chrono::nanoseconds latency, std::uint64_t count = 1) {
    auto& of = sample.roles[Index(role)];
    of.operations += count;
    of.reads.counts[HistogramSnapshot::BucketOf(static_cast<std::uint64_t>(latency.count()))] +=
        count;
  }
  void Fail(Role role, std::uint64_t count = 1) {
    sample.roles[Index(role)].operations += count;
    sample.roles[Index(role)].errors += count;
  }
  // Seconds of `traffic`, which is called each tick, until it trips; nullopt: it did not.
  template <class Traffic>
  std::optional<double> SecondsUntilTrip(std::chrono::milliseconds time_max,
                                         const Traffic& traffic) {
    for (auto time = kTick; time <= time_max; time += kTick) {
      traffic();
      last = Tick();
      if (last.trip && !last.trip->is_dry_run) return std::chrono::duration<double>(time).count();
    }
    return std::nullopt;
  }
  GuardStreamStatus Of(GuardStream stream) const { return machine.Streams()[Index(stream)]; }

  GuardSample sample;
  GuardMachine machine;
  GuardVerdict last;
};

TEST(Cusum, GoodWearsDownWhatBadAdds) {
  Cusum sum(18.42, 3);
  sum.Add(10, 10, {0.001, 0.01});
  EXPECT_DOUBLE_EQ(sum.sum(), 18.42 / 3) << "one step is capped";
  sum.Add(100, 0, {0.001, 0.01});
  EXPECT_LT(sum.sum(), 18.42 / 3);
  sum.Add(100000, 0, {0.001, 0.01});
  EXPECT_EQ(sum.sum(), 0);
  for (int i = 0; i < 3; ++i) sum.Add(10, 10, {0.001, 0.01});
  EXPECT_TRUE(sum.has_tripped());
}

TEST(GuardMachine, TotalFailureTripsWithinThreeTicks) {
  World world;
  const auto seconds = world.SecondsUntilTrip(5s, [&] { world.Fail(Role::kUnified, 100); });
  ASSERT_TRUE(seconds);
  EXPECT_LE(*seconds, 0.3 + 1e-9);
  EXPECT_EQ(world.last.trip->stream.stream, GuardStream::kErrors);
  EXPECT_EQ(world.last.trip->severity, GuardSeverity::kCritical);
  EXPECT_FALSE(world.Tick().trip) << "a trip is told once";
}

TEST(GuardMachine, SlowReadsTripWithinASecond) {
  World world;
  const auto seconds = world.SecondsUntilTrip(5s, [&] { world.Read(Role::kUnified, 20ms, 100); });
  ASSERT_TRUE(seconds);
  EXPECT_LE(*seconds, 1.2);
  EXPECT_EQ(world.last.trip->stream.stream, GuardStream::kSlowReads);
}

TEST(GuardMachine, AFollowerThatFallsFarBehindTrips) {
  World world;
  const auto seconds = world.SecondsUntilTrip(10s, [&] {
    auto& unified = world.sample.roles[Index(Role::kUnified)];
    unified.batches_behind = 10;
    unified.lag = 6s;
  });
  ASSERT_TRUE(seconds);
  EXPECT_LE(*seconds, 2.6);
  EXPECT_EQ(world.last.trip->stream.stream, GuardStream::kSlowApplies);

  World both;
  EXPECT_FALSE(both.SecondsUntilTrip(60s, [&] {
    for (auto& role : both.sample.roles) {
      role.batches_behind = 10;
      role.lag = 6s;
    }
  })) << "legacy is as far behind: the disk is slow, not unified";
}

TEST(GuardMachine, RecordsThatDifferTripAtTheFifth) {
  World world;
  for (int mismatch = 1; mismatch <= 5; ++mismatch) {
    ++world.sample.mismatches;
    world.sample.compared += 2;
    const GuardVerdict verdict = world.Tick();
    EXPECT_EQ(verdict.trip.has_value(), mismatch == 5) << mismatch;
  }
}

TEST(GuardMachine, DamageTripsAtOnce) {
  World world;
  world.sample.roles[Index(Role::kUnified)].corruptions = 1;
  const GuardVerdict verdict = world.Tick();
  ASSERT_TRUE(verdict.trip);
  EXPECT_NE(verdict.trip->reason.find("damaged"), std::string::npos);
}

TEST(GuardMachine, ReadsThatNeverReturnCountWhenTheirDeadlineHasPassed) {
  World world;
  auto& unified = world.sample.roles[Index(Role::kUnified)];
  for (int client = 0; client < 10; ++client)
    unified.under_way.push_back(world.sample.now + std::chrono::milliseconds(client * 30));
  const auto seconds = world.SecondsUntilTrip(5s, [] {});
  ASSERT_TRUE(seconds);
  EXPECT_GE(*seconds, 1.0);
  EXPECT_LE(*seconds, 1.6);
  EXPECT_EQ(world.Of(GuardStream::kErrors).bad_all, world.Of(GuardStream::kErrors).count_all);
}

TEST(GuardMachine, WhenBothFailAlikeItAlertsAndStays) {
  World world;
  std::size_t alerts = 0;
  for (int tick = 0; tick < 600; ++tick) {
    world.Fail(Role::kLegacy, 30);
    world.Read(Role::kLegacy, 1us, 70);
    world.Fail(Role::kUnified, 35);
    world.Read(Role::kUnified, 5us, 65);
    const GuardVerdict verdict = world.Tick();
    EXPECT_FALSE(verdict.trip) << "tick " << tick;
    alerts += verdict.alerts.size();
  }
  EXPECT_EQ(alerts, 1u);
}

TEST(GuardMachine, DryRunSaysWhatItWouldHaveDone) {
  GuardSettings settings;
  settings.streams[Index(GuardStream::kErrors)].is_dry_run = true;
  World world(settings);
  std::size_t trips = 0;
  for (int tick = 0; tick < 30; ++tick) {
    world.Fail(Role::kUnified, 100);
    const GuardVerdict verdict = world.Tick();
    if (!verdict.trip) continue;
    EXPECT_TRUE(verdict.trip->is_dry_run);
    ++trips;
  }
  EXPECT_GE(trips, 2u);
  EXPECT_EQ(world.Of(GuardStream::kErrors).dry_trips, trips);
}

TEST(GuardMachine, ThresholdFollowsLegacyBetweenFloorAndCeiling) {
  World world;
  world.Tick();
  EXPECT_EQ(world.Of(GuardStream::kSlowReads).threshold_us, 1000) << "the floor";
  for (int tick = 0; tick < 20; ++tick) {
    world.Read(Role::kLegacy, 4ms, 100);
    world.Tick();
  }
  EXPECT_GE(*world.Of(GuardStream::kSlowReads).threshold_us, 12'000);
  EXPECT_LE(*world.Of(GuardStream::kSlowReads).threshold_us, 14'000);
  for (int tick = 0; tick < 4 * 600; ++tick) world.Tick();
  EXPECT_GE(*world.Of(GuardStream::kSlowReads).threshold_us, 12'000)
      << "remembered without traffic";
  for (int tick = 0; tick < 2 * 600; ++tick) world.Tick();
  EXPECT_EQ(world.Of(GuardStream::kSlowReads).threshold_us, 1000) << "not for ever";
}

TEST(GuardMachine, FewErrorsHoldARolloutOnly) {
  World world;
  std::mt19937_64 random(7);
  std::poisson_distribution<std::uint64_t> errors(0.5);  // of 1000: 0.05 %
  EXPECT_TRUE(world.machine.HoldsRamp()) << "there was no traffic yet";
  bool has_held = false;
  EXPECT_FALSE(world.SecondsUntilTrip(600s, [&] {
    world.Fail(Role::kUnified, errors(random));
    world.Read(Role::kUnified, 5us, 1000);
    has_held = has_held || world.machine.HoldsRamp();
  }));
  EXPECT_TRUE(has_held);
}

TEST(GuardMachine, ResetForgets) {
  World world;
  ASSERT_TRUE(world.SecondsUntilTrip(5s, [&] { world.Fail(Role::kUnified, 100); }));
  world.machine.Reset();
  EXPECT_EQ(world.Of(GuardStream::kErrors).sum, 0);
  EXPECT_FALSE(world.SecondsUntilTrip(5s, [&] { world.Read(Role::kUnified, 5us, 100); }));
  EXPECT_TRUE(world.SecondsUntilTrip(5s, [&] { world.Fail(Role::kUnified, 100); }));
}

TEST(GuardMachine, MemoryThatGrowsWithoutEndIsToldOnce) {
  World world;
  std::size_t alerts = 0;
  for (int tick = 0; tick < 36'000; ++tick) {
    world.sample.memory_bytes = (1ull << 30) + static_cast<std::uint64_t>(tick) * (16u << 10);
    alerts += world.Tick().alerts.size();
  }
  EXPECT_EQ(alerts, 1u);

  World steady;
  for (int tick = 0; tick < 36'000; ++tick) {
    steady.sample.memory_bytes =
        (1ull << 30) + static_cast<std::uint64_t>(tick % 6000) * (64u << 10);
    EXPECT_TRUE(steady.Tick().alerts.empty()) << "it goes up and down";
  }
}

// The figures of docs/guard.md, again and again with other seeds.
TEST(GuardSimulation, AHealthyDayHasNoFalseAlarm) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::poisson_distribution<std::uint64_t> errors(0.05);  // 0.05 % of 100 a tick
  World world;
  for (int tick = 0; tick < 24 * 36'000; ++tick) {
    world.Read(Role::kLegacy, 1us, 100);
    const std::uint64_t failed = std::min<std::uint64_t>(errors(random), 100);
    world.Fail(Role::kUnified, failed);
    world.Read(Role::kUnified, 5us, 100 - failed);
    const GuardVerdict verdict = world.Tick();
    ASSERT_FALSE(verdict.trip) << verdict.trip->reason << " after tick " << tick;
  }
  std::cout << "24 h at 1,000 operations/s, 0.05 % errors, 1 us against 5 us: no false alarm\n";
}

// Seconds until the trip at that rate of errors, of many runs.
std::vector<double> Delays(std::mt19937_64& random, double per_tick, double error_rate) {
  std::vector<double> delays;
  for (int run = 0; run < 200; ++run) {
    World world;
    const auto operations = static_cast<std::uint64_t>(per_tick);
    std::binomial_distribution<std::uint64_t> errors(operations, error_rate);
    const auto seconds = world.SecondsUntilTrip(60s, [&] {
      const std::uint64_t failed = errors(random);
      world.Fail(Role::kUnified, failed);
      world.Read(Role::kUnified, 5us, operations - failed);
    });
    delays.push_back(seconds.value_or(60));
  }
  std::sort(delays.begin(), delays.end());
  return delays;
}

TEST(GuardSimulation, FivePercentErrorsAreFoundFast) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  struct Case {
    double per_tick;
    double median_max, p99_max;
  };
  for (const Case& each : {Case{100, 0.6, 1.2}, Case{10, 3, 8}}) {
    const std::vector<double> delays = Delays(random, each.per_tick, 0.05);
    const double median = delays[delays.size() / 2];
    const double p99 = delays[delays.size() * 99 / 100];
    std::cout << "5 % errors at " << each.per_tick * 10 << "/s: tripped after " << median
              << " s (median), " << p99 << " s (p99)\n";
    EXPECT_LE(median, each.median_max);
    EXPECT_LE(p99, each.p99_max);
  }
}

TEST(GuardMachine, ErrorsInBurstsAreAMajorFinding) {
  World world;
  std::vector<GuardAlert> alerts;
  std::optional<GuardTrip> trip;
  for (int tick = 0; tick < 300; ++tick) {
    world.Read(Role::kLegacy, 1us, 100);
    // Seconds that begin with a few bad moments and heal.
    if (tick % 100 < 2) {
      world.Fail(Role::kUnified, 20);
    } else {
      world.Read(Role::kUnified, 5us, 5 + (tick % 100 > 10 ? 1000 : 0));
    }
    const GuardVerdict verdict = world.Tick();
    if (verdict.trip) trip = verdict.trip;
    for (const GuardAlert& alert : verdict.alerts) {
      if (alert.severity == GuardSeverity::kMajor) alerts.push_back(alert);
    }
  }
  EXPECT_FALSE(trip);
  ASSERT_EQ(alerts.size(), 1u) << "told once";
  EXPECT_EQ(alerts[0].name, "error-bursts");
  EXPECT_TRUE(alerts[0].wants_rollback);
}

TEST(GuardMachine, ReadsThatStaySlowerPastTheFloorAreAMajorFinding) {
  for (const auto unified : {500us, 2500us}) {
    World world;
    std::vector<std::string> alerts;
    for (int tick = 0; tick < 10 * 60 * 6; ++tick) {
      world.Read(Role::kLegacy, unified == 500us ? 100us : 1800us, 100);
      world.Read(Role::kUnified, unified, 100);
      const GuardVerdict verdict = world.Tick();
      EXPECT_FALSE(verdict.trip);
      for (const GuardAlert& alert : verdict.alerts) alerts.push_back(alert.name);
    }
    if (unified == 500us) {
      EXPECT_TRUE(alerts.empty()) << "within the floor nobody notices";
    } else {
      EXPECT_EQ(alerts, std::vector<std::string>{"slower"});
    }
  }
}

TEST(GuardMachine, FewErrorsAreANote) {
  World world;
  std::vector<GuardAlert> alerts;
  for (int tick = 0; tick < 2000; ++tick) {
    world.Read(Role::kUnified, 5us, 999);
    if (tick % 2 == 0) world.Fail(Role::kUnified);
    for (const GuardAlert& alert : world.Tick().alerts) alerts.push_back(alert);
  }
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].severity, GuardSeverity::kMinor);
  EXPECT_FALSE(alerts[0].wants_rollback);
}

}  // namespace
}  // namespace switchback
