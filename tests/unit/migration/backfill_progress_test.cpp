#include "migration/backfill_progress.hpp"

#include <gtest/gtest.h>

#include "fill_world.hpp"

namespace switchback {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BackfillProgress, NeverSaysHundredPercentBeforeItIsTrue) {
  test::SettableClock clock;
  BackfillProgress progress(clock);
  progress.SetTotals(0, 1000);

  clock.elapsed += seconds(1);
  progress.StepCommitted(1200, 1, "c");  // records put below the cursor count twice

  EXPECT_LT(progress.Figures().Percent(), 100.0);
  progress.SetFilled();
  EXPECT_EQ(progress.Figures().Percent(), 100.0);
}

TEST(BackfillProgress, CountsOnFromWhatEarlierProcessesFilled) {
  test::SettableClock clock;
  BackfillProgress progress(clock);
  progress.SetTotals(500, 1000);

  clock.elapsed += seconds(1);
  progress.StepCommitted(250, 4096, "c");

  const BackfillFigures figures = progress.Figures();
  EXPECT_DOUBLE_EQ(figures.Percent(), 75.0);
  EXPECT_DOUBLE_EQ(figures.records_per_second, 250.0);
  EXPECT_DOUBLE_EQ(*figures.EtaSeconds(), 1.0);
  EXPECT_EQ(figures.bytes_done, 4096u);
  EXPECT_EQ(figures.current_collection, "c");
}

TEST(BackfillProgress, RateFollowsAThrottle) {
  test::SettableClock clock;
  BackfillProgress progress(clock);
  progress.SetTotals(0, 10'000'000);
  for (int i = 0; i < 100; ++i) {
    clock.elapsed += milliseconds(100);
    progress.StepCommitted(10'000, 1, "c");
  }
  EXPECT_NEAR(progress.Figures().records_per_second, 100'000, 1);

  for (int i = 0; i < 60; ++i) {
    clock.elapsed += seconds(1);
    progress.StepCommitted(10'000, 1, "c");
  }

  EXPECT_NEAR(progress.Figures().records_per_second, 10'000, 500);
}

TEST(BackfillProgress, KnowsNoEtaBeforeTheFirstStep) {
  test::SettableClock clock;
  const BackfillProgress progress(clock);
  EXPECT_FALSE(progress.Figures().EtaSeconds().has_value());
  EXPECT_EQ(progress.Figures().Percent(), 0.0);
}

TEST(BackfillProgress, StepAtTheSameInstantLeavesTheRateAlone) {
  test::SettableClock clock;
  BackfillProgress progress(clock);
  progress.StepCommitted(10, 1, "c");
  EXPECT_EQ(progress.Figures().records_per_second, 0.0);
  EXPECT_EQ(progress.Figures().records_done, 10u);
}

TEST(BackfillProgress, ShowsAnErrorUntilAStepSucceeds) {
  test::SettableClock clock;
  BackfillProgress progress(clock);

  progress.SetError(Error{ErrorCode::kIo, "read: cause"}, false);
  EXPECT_EQ(progress.Figures().error->message, "read: cause");
  EXPECT_FALSE(progress.Figures().needs_scratch);

  progress.StepCommitted(1, 1, "c");
  EXPECT_FALSE(progress.Figures().error.has_value());
}

}  // namespace
}  // namespace switchback
