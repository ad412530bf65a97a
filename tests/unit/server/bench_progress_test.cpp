#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "server/bench/progress.hpp"

namespace switchback::bench {
namespace {

TEST(BenchProgress, IsPlainLinesWhereNobodyWatches) {
  testing::internal::CaptureStderr();
  {
    StderrProgress progress;
    EXPECT_TRUE(progress.Say("loading"));
    EXPECT_TRUE(progress.Say("measuring"));
    progress.End();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "loading\nmeasuring\n");
}

TEST(BenchProgress, AnInterruptCancelsAtTheNextStep) {
  for (const int number : {SIGINT, SIGTERM}) {
    StderrProgress progress;

    ASSERT_EQ(raise(number), 0);

    const Status said = progress.Say("never shown");
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, ErrorCode::kCancelled);
  }
}

TEST(BenchProgress, ANewOneBeginsAnew) {
  {
    const StderrProgress cancelled;
    ASSERT_EQ(raise(SIGINT), 0);
  }
  testing::internal::CaptureStderr();
  StderrProgress progress;

  EXPECT_TRUE(progress.Say("goes on"));

  testing::internal::GetCapturedStderr();
}

TEST(BenchProgress, GivesTheSignalsBack) {
  { const StderrProgress progress; }

  struct sigaction action {};
  ASSERT_EQ(sigaction(SIGINT, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace switchback::bench
