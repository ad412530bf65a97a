#include "rollback/notify/retry_state.hpp"

#include <gtest/gtest.h>

namespace switchback {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kNow{std::chrono::hours(1000)};

TEST(RetryState, DelaysDoubleFromASecondToFiveMinutes) {
  const RetryState retry({});

  EXPECT_EQ(retry.Delay(1), 1s);
  EXPECT_EQ(retry.Delay(2), 2s);
  EXPECT_EQ(retry.Delay(5), 16s);
  EXPECT_EQ(retry.Delay(9), 256s);
  EXPECT_EQ(retry.Delay(10), 300s);
  EXPECT_EQ(retry.Delay(4'000'000'000), 300s);
}

TEST(RetryState, DiceChooseBetweenHalfOfTheDelayAndAllOfIt) {
  for (const auto& [dice, wait] : {std::pair{0.0, 500ms}, {0.5, 750ms}, {0.999, 999ms}}) {
    RetryState retry({});
    retry.OnFailure(kNow, dice, std::nullopt);
    EXPECT_EQ(retry.resume_at(), kNow + wait) << dice;
  }
}

TEST(RetryState, WaitsAsLongAsTheReceiverAsksFor) {
  RetryState retry({});

  retry.OnFailure(kNow, 0, 120s);
  EXPECT_EQ(retry.resume_at(), kNow + 120s);
  retry.OnFailure(kNow, 0, 0s);
  EXPECT_EQ(retry.resume_at(), kNow + 1s) << "never less than its own delay";
  retry.OnFailure(kNow, 0, std::chrono::hours(1'000'000));
  EXPECT_EQ(retry.resume_at(), kNow + 24h) << "by then it is given up";
}

TEST(RetryState, AnAnswerBeginsAnew) {
  RetryState retry({});
  retry.OnFailure(kNow, 0, std::nullopt);
  retry.OnFailure(kNow, 0, std::nullopt);

  retry.OnAnswer();

  EXPECT_EQ(retry.resume_at(), std::nullopt);
  retry.OnFailure(kNow, 0, std::nullopt);
  EXPECT_EQ(retry.resume_at(), kNow + 500ms);
}

}  // namespace
}  // namespace switchback
