#include "flags/reload_schedule.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

using std::chrono::milliseconds;

constexpr SteadyTime kStart{std::chrono::hours(1)};

SteadyTime After(int ms) {
  return kStart + milliseconds(ms);
}

TEST(ReloadSchedule, ReadsAtOnceWhenAWriteIsFinished) {
  ReloadSchedule schedule(kStart);

  schedule.OnEvent(FolderEvent::kReady, After(5));

  EXPECT_EQ(schedule.TimeToNextStep(After(5)), milliseconds(0));
  EXPECT_EQ(schedule.TakeStep(After(5)), ReloadStep::kRead);
  EXPECT_EQ(schedule.TakeStep(After(5)), ReloadStep::kWait);
}

TEST(ReloadSchedule, WaitsForQuietWhenAChangeHasOnlyBegun) {
  ReloadSchedule schedule(kStart);

  schedule.OnEvent(FolderEvent::kTouched, After(0));
  EXPECT_EQ(schedule.TakeStep(After(14)), ReloadStep::kWait);

  schedule.OnEvent(FolderEvent::kTouched, After(14));
  EXPECT_EQ(schedule.TakeStep(After(28)), ReloadStep::kWait);
  EXPECT_EQ(schedule.TimeToNextStep(After(28)), milliseconds(1));
  EXPECT_EQ(schedule.TakeStep(After(29)), ReloadStep::kRead);
}

TEST(ReloadSchedule, ATouchDoesNotPutOffAReadThatIsDue) {
  ReloadSchedule schedule(kStart);

  schedule.OnEvent(FolderEvent::kReady, After(1));
  schedule.OnEvent(FolderEvent::kTouched, After(2));

  EXPECT_EQ(schedule.TakeStep(After(2)), ReloadStep::kRead);
}

TEST(ReloadSchedule, PollsEverySecondForEver) {
  ReloadSchedule schedule(kStart);

  for (int second = 1; second < 100; ++second) {
    EXPECT_EQ(schedule.TakeStep(After(second * 1000 - 1)), ReloadStep::kWait);
    EXPECT_EQ(schedule.TimeToNextStep(After(second * 1000 - 1)), milliseconds(1));
    EXPECT_EQ(schedule.TakeStep(After(second * 1000)), ReloadStep::kCheck);
  }
}

TEST(ReloadSchedule, EventsNeverPutOffThePoll) {
  ReloadSchedule schedule(kStart);

  int polls = 0;
  for (int now = 0; now <= 3000; now += 10) {
    // A folder that is never quiet.
    schedule.OnEvent(FolderEvent::kTouched, After(now));
    if (schedule.TakeStep(After(now)) == ReloadStep::kCheck) ++polls;
  }

  EXPECT_EQ(polls, 3);
}

TEST(ReloadSchedule, NoEventChangesNothing) {
  ReloadSchedule schedule(kStart);

  schedule.OnEvent(FolderEvent::kNone, After(0));

  EXPECT_EQ(schedule.TakeStep(After(500)), ReloadStep::kWait);
  EXPECT_EQ(schedule.TimeToNextStep(After(2000)), milliseconds(0));  // late is never negative
}

TEST(ReloadSchedule, AFlipShowsWellWithinFiftyMilliseconds) {
  EXPECT_GE(kReloadQuiet, milliseconds(10));
  EXPECT_LE(kReloadQuiet, milliseconds(20));
}

}  // namespace
}  // namespace switchback
