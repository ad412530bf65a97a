#include "migration/backfill.hpp"

#include <gtest/gtest.h>

#include "common/failpoint.hpp"
#include "fill_world.hpp"

namespace switchback::test {
namespace {

class BackfillTest : public ::testing::Test {
 protected:
  Backfill NewFill() { return Backfill(world_, options_, progress_); }
  // Chunks of `records`, so that a test can stop between them.
  void SetChunk(std::size_t records) { options_.chunk_record_count_max = records; }
  void ExpectEqualStores() {
    EXPECT_EQ(FillWorld::ContentOf(*world_.target_store),
              FillWorld::ContentOf(*world_.source_store));
  }

  FillWorld world_;
  SettableClock clock_;
  BackfillOptions options_;
  std::shared_ptr<BackfillProgress> progress_ = std::make_shared<BackfillProgress>(clock_);
};

TEST_F(BackfillTest, CopiesEveryCollectionAndEnds) {
  world_.Write({PutOf("b", "1", "x"), PutOf("a", "2", ""), PutOf("main", "m", "y")});
  Backfill fill = NewFill();

  world_.Finish(fill);

  ExpectEqualStores();
  const StoreState state = world_.target_store->State();
  EXPECT_FALSE(state.is_filling);
  EXPECT_EQ(state.applied_sequence, 1u);
  EXPECT_EQ(state.log_id, "log-1");
  EXPECT_TRUE(state.fill_collection.empty() && state.fill_key.empty());
  EXPECT_TRUE(progress_->Figures().is_filled);
}

TEST_F(BackfillTest, EndsAtOnceOnAnEmptySource) {
  Backfill fill = NewFill();
  EXPECT_FALSE(world_.Step(fill));
  EXPECT_FALSE(world_.target_store->State().is_filling);
}

TEST_F(BackfillTest, FirstStepNeedsNoLog) {
  world_.Write({PutOf("a", "1", "x")});
  world_.Write({PutOf("a", "2", "y")});
  world_.trimmed = 2;
  Backfill fill = NewFill();

  world_.Finish(fill);

  ExpectEqualStores();
}

TEST_F(BackfillTest, ADeletedRecordDoesNotComeBack) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y"), PutOf("a", "3", "z")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));  // copies 1

  world_.Write({DeleteOf("a", "1"), DeleteOf("a", "3")});
  world_.Finish(fill);

  ExpectEqualStores();
  EXPECT_EQ(FillWorld::ContentOf(*world_.target_store)["a"].size(), 1u);
}

TEST_F(BackfillTest, ADeleteBetweenReadAndCommitIsAppliedByTheNextStep) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  auto step = fill.Next(world_.target_store->State());
  ASSERT_TRUE(step.has_value());

  world_.Write({DeleteOf("a", "1")});
  FillWorld::Must(world_.target->Apply(step->effects, step->state));
  fill.Committed();
  world_.Finish(fill);

  ExpectEqualStores();
}

TEST_F(BackfillTest, WritesBehindTheCursorReachTheTargetAndThoseAheadWait) {
  world_.Write({PutOf("a", "5", "x"), PutOf("a", "6", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));  // copies 5

  world_.Write({PutOf("a", "1", "new"), PutOf("a", "5", "changed"), PutOf("a", "9", "later")});
  ASSERT_TRUE(world_.Step(fill));  // copies 6

  const Records target = FillWorld::ContentOf(*world_.target_store);
  EXPECT_EQ(target.at("a"),
            (std::map<std::string, std::string>{{"1", "new"}, {"5", "changed"}, {"6", "y"}}));
  world_.Finish(fill);
  ExpectEqualStores();
}

// Clears of the collection before, at and after the cursor.
class BackfillClearTest : public BackfillTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BackfillClearTest, ClearDuringTheFillLeavesBothStoresEqual) {
  for (const char* name : {"a", "b", "c"})
    world_.Write({PutOf(name, "1", "x"), PutOf(name, "2", "y"), PutOf(name, "3", "z")});
  SetChunk(1);
  Backfill fill = NewFill();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(world_.Step(fill));
  ASSERT_EQ(world_.target_store->State().fill_collection, "b");
  ASSERT_EQ(world_.target_store->State().fill_key, "2");

  world_.Write({PutOf(GetParam(), "0", "before"), ClearOf(GetParam()),
                PutOf(GetParam(), "1", "after"), PutOf(GetParam(), "4", "after")});
  world_.Finish(fill);

  ExpectEqualStores();
}

INSTANTIATE_TEST_SUITE_P(BeforeAtAndAfterTheCursor, BackfillClearTest,
                         ::testing::Values("a", "b", "c"));

TEST_F(BackfillTest, CollectionsMadeDuringTheFillAreFilled) {
  world_.Write({PutOf("m", "1", "x"), PutOf("m", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));

  world_.Write({PutOf("a", "1", "earlier"), PutOf("z", "1", "later")});
  world_.Finish(fill);

  ExpectEqualStores();
}

TEST_F(BackfillTest, NamesAndKeysAreOrderedAsUnsignedBytes) {
  const std::string high = "\xff\x00\x01";
  world_.Write({PutOf("a", std::string("\x7f"), "1"), PutOf("a", std::string("\x80"), "2"),
                PutOf("a", std::string("\0", 1), "3"), PutOf("B", high, "4")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  EXPECT_EQ(world_.target_store->State().fill_collection, "B");

  world_.Write({PutOf("a", std::string("\xff"), "5"), DeleteOf("a", std::string("\x80"))});
  world_.Finish(fill);

  ExpectEqualStores();
}

TEST_F(BackfillTest, GoesOnFromTheCommittedStateAfterACrash) {
  for (int i = 0; i < 50; ++i) world_.Write({PutOf("a", std::to_string(i), "v")});
  SetChunk(7);
  {
    Backfill fill = NewFill();
    ASSERT_TRUE(world_.Step(fill));
    ASSERT_TRUE(fill.Next(world_.target_store->State()).has_value());  // read, never committed
  }
  world_.Write({DeleteOf("a", "1"), PutOf("a", "49", "changed")});
  world_.OpenStores();
  Backfill fill = NewFill();

  ASSERT_TRUE(world_.Step(fill));

  EXPECT_EQ(progress_->Figures().records_total, 49u);
  world_.Finish(fill);
  ExpectEqualStores();
  EXPECT_EQ(progress_->Figures().records_done, 49u);
}

TEST_F(BackfillTest, AStepWhoseCommitFailedIsHandedOutAgain) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  const auto first = fill.Next(world_.target_store->State());
  ASSERT_TRUE(first.has_value());
  const StoreState first_state = first->state;

  const auto second = fill.Next(world_.target_store->State());

  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->state, first_state);
  EXPECT_EQ(second->effects.size(), 1u);
}

TEST_F(BackfillTest, ALongLogIsAppliedInStepsOfItsOwn) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y"), PutOf("b", "1", "z")});
  SetChunk(2);
  options_.log_effect_count_max = 10;
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  for (int i = 0; i < 100; ++i)
    world_.Write({PutOf("a", "1", std::to_string(i)), DeleteOf("a", "0")});

  ASSERT_TRUE(world_.Step(fill));

  StoreState state = world_.target_store->State();
  EXPECT_EQ(state.applied_sequence, 6u);  // five batches of two effects
  EXPECT_EQ(state.fill_collection, "a");
  EXPECT_EQ(state.fill_key, "2");
  EXPECT_EQ(FillWorld::ContentOf(*world_.target_store)["a"]["1"], "4");
  world_.Finish(fill);
  ExpectEqualStores();
}

TEST_F(BackfillTest, AFloodOfEffectsThatAreNotCoveredIsBoundedToo) {
  world_.Write({PutOf("a", "1", "x"), PutOf("b", "1", "y")});
  SetChunk(1);
  options_.log_scan_effect_count_max = 10;
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  for (int i = 0; i < 25; ++i) world_.Write({PutOf("z", std::to_string(i), "far ahead")});

  ASSERT_TRUE(world_.Step(fill));

  EXPECT_EQ(world_.target_store->State().applied_sequence, 11u);
  EXPECT_EQ(world_.target_store->State().fill_collection, "a");
  world_.Finish(fill);
  ExpectEqualStores();
}

TEST_F(BackfillTest, ChunkIsBoundedInBytesButCarriesOneRecordOfAnySize) {
  options_.chunk_bytes_max = 1000;
  world_.Write({PutOf("a", "1", std::string(5000, 'x')), PutOf("a", "2", std::string(600, 'y')),
                PutOf("a", "3", std::string(600, 'z'))});
  Backfill fill = NewFill();

  ASSERT_TRUE(world_.Step(fill));
  EXPECT_EQ(world_.target_store->State().fill_key, "1");
  ASSERT_TRUE(world_.Step(fill));
  EXPECT_EQ(world_.target_store->State().fill_key, "2");
  EXPECT_FALSE(world_.Step(fill));
  ExpectEqualStores();
}

TEST_F(BackfillTest, TrimmedLogNeedsAFillFromScratch) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  world_.Write({DeleteOf("a", "1")});
  world_.trimmed = 2;

  const auto step = fill.Next(world_.target_store->State());

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kNotFound);
  EXPECT_NE(step.error().message.find("no longer holds batch 2"), std::string::npos);
  EXPECT_TRUE(progress_->Figures().needs_scratch);
}

TEST_F(BackfillTest, ALogThatEndsEarlyIsNotTakenForAnEmptyOne) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  world_.Write({DeleteOf("a", "1")});
  world_.log.pop_back();

  const auto step = fill.Next(world_.target_store->State());

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kNotFound);
}

TEST_F(BackfillTest, WaitsForASourceThatLostItsTail) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  FillWorld::Must(world_.source->MakeDurable());
  world_.Write({PutOf("a", "1", "newer")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  world_.source.reset();
  world_.source_store->PowerCut();
  world_.OpenStores();

  const auto step = NewFill().Next(world_.target_store->State());
  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kBusy);
  EXPECT_FALSE(progress_->Figures().needs_scratch);

  world_.ApplyToSource(2);
  Backfill again = NewFill();
  world_.Finish(again);
  ExpectEqualStores();
}

TEST_F(BackfillTest, RefusesASourceOfAnotherLog) {
  StoreState state = world_.source_store->State();
  state.log_id = "log-2";
  state.applied_sequence = 9;
  FillWorld::Must(world_.source->Apply({}, state));
  Backfill fill = NewFill();

  const auto step = fill.Next(world_.target_store->State());

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kRefused);
}

TEST_F(BackfillTest, RefusesASourceThatIsNotWhole) {
  StoreState state = world_.source_store->State();
  state.is_filling = true;
  FillWorld::Must(world_.source->Apply({}, state));
  Backfill fill = NewFill();

  const auto step = fill.Next(world_.target_store->State());

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kRefused);
}

TEST_F(BackfillTest, ARestoreOfTheSourceNeedsAFillFromScratch) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));
  StoreState state = world_.source_store->State();
  state.epoch += 1;
  FillWorld::Must(world_.source->Apply({}, state));

  const auto step = fill.Next(world_.target_store->State());

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kNotFound);
}

TEST_F(BackfillTest, GoesOnAfterAReadErrorOfTheSource) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));

  FillWorld::Must(SetFailpoints("backend.source.read=error"));
  const auto step = fill.Next(world_.target_store->State());
  FillWorld::Must(SetFailpoints(""));

  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kIo);
  EXPECT_TRUE(progress_->Figures().error.has_value());
  world_.Finish(fill);
  ExpectEqualStores();
  EXPECT_FALSE(progress_->Figures().error.has_value());
}

TEST_F(BackfillTest, CancelEndsItBetweenSteps) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();
  ASSERT_TRUE(world_.Step(fill));

  progress_->Cancel();

  const auto step = fill.Next(world_.target_store->State());
  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kCancelled);
}

TEST_F(BackfillTest, StandsStillWhileTheThrottleOrAnOperatorSaysSo) {
  FillWorld world;
  world.Write({PutOf("a", "1", "v")});
  auto progress = std::make_shared<BackfillProgress>(clock_);
  auto throttle = std::make_shared<Throttle>();
  BackfillOptions options;
  options.throttle = throttle;
  Backfill fill(world, options, progress);
  MigrationSettings settings;
  settings.disk_free_bytes_min = 100;
  throttle->Judge({.disk_free_bytes = 99}, settings);

  auto step = fill.Next(world.target_store->State());
  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kBusy);
  EXPECT_NE(step.error().message.find("disk_free_bytes is 99, the limit is 100"),
            std::string::npos);

  throttle->Judge({.disk_free_bytes = 100}, settings);
  progress->SetPaused(true);
  step = fill.Next(world.target_store->State());
  ASSERT_FALSE(step.has_value());
  EXPECT_EQ(step.error().code, ErrorCode::kBusy);

  progress->SetPaused(false);
  world.Finish(fill);
  EXPECT_EQ(world.ContentOf(*world.target_store), world.ContentOf(*world.source_store));
}

TEST_F(BackfillTest, HoldsNoSnapshotBetweenSteps) {
  world_.Write({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  SetChunk(1);
  Backfill fill = NewFill();

  ASSERT_TRUE(world_.Step(fill));

  EXPECT_TRUE(world_.source->Reopen().has_value());  // waits for active snapshots to end
  world_.Finish(fill);
  ExpectEqualStores();
}

}  // namespace
}  // namespace switchback::test
