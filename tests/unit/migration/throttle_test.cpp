#include "migration/throttle.hpp"

#include <gtest/gtest.h>

namespace switchback::test {
namespace {

using namespace std::chrono_literals;

ThrottleReading Quiet() {
  return {.disk_free_bytes = 1e12};
}

const ThrottleSignal& Find(const std::vector<ThrottleSignal>& signals, const std::string& name) {
  for (const ThrottleSignal& signal : signals) {
    if (signal.name == name) return signal;
  }
  ADD_FAILURE() << "no signal " << name;
  return signals.front();
}

TEST(Throttle, GoesAtFullPaceWhileNothingIsPastItsLimit) {
  Throttle throttle;
  throttle.Judge(Quiet(), {});

  EXPECT_EQ(throttle.pace(), 1.0);
  EXPECT_EQ(throttle.PauseAfter(10ms, 1000, 100000), 0ms);
  EXPECT_EQ(throttle.ChunkBytes(8 << 20), 8u << 20);
  EXPECT_TRUE(throttle.MayGoOn().has_value());
}

TEST(Throttle, SlowsDownWhileClientsFeelItAndShowsWhy) {
  Throttle throttle;
  ThrottleReading reading = Quiet();
  reading.write_p99_before_us = 1000;
  reading.write_p99_us = 1151;  // past 1.15 x and past the slack

  for (int i = 0; i < 3; ++i) throttle.Judge(reading, {});

  EXPECT_NEAR(throttle.pace(), 0.67 * 0.67 * 0.67, 1e-9);
  const auto signals = throttle.Signals();
  const ThrottleSignal& signal = Find(signals, "write_p99_us");
  EXPECT_TRUE(signal.is_limiting);
  EXPECT_EQ(*signal.value, 1151);
  EXPECT_NEAR(signal.limit, 1150, 1e-9);
  EXPECT_FALSE(Find(signals, "read_p99_us").is_limiting);
  EXPECT_GT(throttle.PauseAfter(10ms, 0, 0), 20ms);
  EXPECT_LT(throttle.ChunkBytes(8 << 20), 4u << 20);
}

TEST(Throttle, AlwaysGoesOnALittleAndComesBack) {
  Throttle throttle;
  ThrottleReading reading = Quiet();
  reading.lag_ms = 5001;
  for (int i = 0; i < 100; ++i) throttle.Judge(reading, {});
  EXPECT_EQ(throttle.pace(), Throttle::kPaceMin);
  EXPECT_TRUE(throttle.MayGoOn().has_value());

  for (int i = 0; i < 100; ++i) throttle.Judge(Quiet(), {});

  EXPECT_EQ(throttle.pace(), 1.0);
}

TEST(Throttle, ANoisyMicrosecondIsNotALimit) {
  Throttle throttle;
  ThrottleReading reading = Quiet();
  reading.read_p99_before_us = 5;
  reading.read_p99_us = 24;  // five times as much, and within the slack

  throttle.Judge(reading, {});

  EXPECT_EQ(throttle.pace(), 1.0);
}

TEST(Throttle, ALimitOfZeroIsSwitchedOff) {
  Throttle throttle;
  ThrottleReading reading{.read_p99_us = 1e6, .lag_ms = 1e6, .memory_share = 0.99};
  MigrationSettings settings;
  settings.p99_ratio_max = 0;
  settings.lag_ms_max = 0;
  settings.throttle_memory_share_max = 0;
  settings.disk_free_bytes_min = 0;

  throttle.Judge(reading, settings);

  EXPECT_EQ(throttle.pace(), 1.0);
  EXPECT_TRUE(throttle.MayGoOn().has_value());
}

TEST(Throttle, StandsStillForMemoryAndDisk) {
  Throttle throttle;
  ThrottleReading reading = Quiet();
  reading.memory_share = 0.86;

  throttle.Judge(reading, {});
  ASSERT_FALSE(throttle.MayGoOn().has_value());
  EXPECT_NE(throttle.MayGoOn().error().message.find("memory_share is 0.86"), std::string::npos);

  throttle.Judge(Quiet(), {});
  EXPECT_TRUE(throttle.MayGoOn().has_value());
}

TEST(Throttle, ASmallDiskIsNotFullForBeingSmall) {
  Throttle throttle;
  ThrottleReading reading{.disk_free_bytes = 100e6, .disk_total_bytes = 300e6};

  throttle.Judge(reading, {});
  EXPECT_TRUE(throttle.MayGoOn().has_value());

  reading.disk_free_bytes = 14e6;
  throttle.Judge(reading, {});
  EXPECT_FALSE(throttle.MayGoOn().has_value());
}

TEST(Throttle, KeepsAManualRate) {
  Throttle throttle;
  MigrationSettings settings;
  settings.bytes_per_second = 1'000'000;
  settings.records_per_second = 1000;
  throttle.Judge(Quiet(), settings);

  EXPECT_EQ(throttle.PauseAfter(100ms, 1, 500'000), 400ms);
  EXPECT_EQ(throttle.PauseAfter(100ms, 2000, 1), 1900ms);
  EXPECT_EQ(throttle.PauseAfter(3s, 2000, 1), 0ms);
  EXPECT_EQ(throttle.ChunkBytes(8 << 20), Throttle::kChunkBytesMin);
}

}  // namespace
}  // namespace switchback::test
