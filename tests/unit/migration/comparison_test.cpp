#include "migration/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pair_world.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ComparisonTest : public ::testing::Test {
 protected:
  // One pass, window by window; `between` runs after each.
  std::vector<Difference> Pass(ComparisonOptions options = {}, WindowBudget budget = {},
                               const std::function<void()>& between = {}) {
    Comparison comparison(world, clock, std::move(options));
    std::vector<Difference> differences;
    for (int windows = 0; windows < 100000; ++windows) {
      auto window = comparison.Next(budget);
      EXPECT_TRUE(IsOk(window));
      if (!window) return differences;
      for (Difference& difference : window->differences) differences.push_back(difference);
      last_sequence = window->sequence;
      if (window->is_last) {
        records = comparison.reached().records;
        bytes = comparison.reached().bytes;
        return differences;
      }
      if (between) between();
    }
    ADD_FAILURE() << "the pass does not end";
    return differences;
  }

  PairWorld world;
  SettableClock clock;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t last_sequence = 0;
};

// A window holds one record, so that a border lies at every one.
ComparisonOptions OneRecordChunks() {
  ComparisonOptions options;
  options.chunk.record_count_max = 1;
  options.chunk.unified_record_count_max = 1;
  return options;
}

TEST_F(ComparisonTest, EmptyStoresAreEqual) {
  EXPECT_THAT(Pass(), IsEmpty());

  EXPECT_EQ(records, 0u);
}

TEST_F(ComparisonTest, EqualStoresHaveNoDifferences) {
  world.Log({PutOf("a", "1", "x"), PutOf("a", "2", ""), PutOf("b", "1", "yy")});
  world.ApplyAll();

  EXPECT_THAT(Pass(), IsEmpty());

  EXPECT_EQ(records, 3u);
  EXPECT_EQ(bytes, 6u);
  EXPECT_EQ(last_sequence, 1u);
}

TEST_F(ComparisonTest, NamesEachKindWithWhatBothHold) {
  world.Log({PutOf("a", "1", "one"), PutOf("a", "2", "two"), PutOf("a", "3", "three")});
  world.ApplyAll();
  world.Corrupt(Role::kUnified, "a", "1", std::nullopt);
  world.Corrupt(Role::kUnified, "a", "2", "TWO");
  world.Corrupt(Role::kUnified, "a", "4", "four");

  const auto differences = Pass();

  ASSERT_THAT(NamesOf(differences), ElementsAre("a/1 missing", "a/2 differs", "a/4 extra"));
  EXPECT_EQ(differences[0].values.legacy, DigestOf("one"));
  EXPECT_EQ(differences[0].values.unified, std::nullopt);
  EXPECT_EQ(differences[1].values.legacy, DigestOf("two"));
  EXPECT_EQ(differences[1].values.unified, DigestOf("TWO"));
  EXPECT_EQ(differences[2].values.unified, DigestOf("four"));
  EXPECT_EQ(differences[0].sequence, 1u);
  EXPECT_EQ(records, 4u);
}

TEST_F(ComparisonTest, EmptyValueIsNotAnAbsentOne) {
  world.Log({PutOf("a", "1", ""), PutOf("a", "2", "")});
  world.ApplyAll();
  world.Corrupt(Role::kUnified, "a", "1", std::nullopt);
  world.Corrupt(Role::kLegacy, "a", "2", "x");

  EXPECT_THAT(NamesOf(Pass()), ElementsAre("a/1 missing", "a/2 differs"));
}

TEST_F(ComparisonTest, CollectionOfOneStoreOnlyIsAllMissingOrExtra) {
  world.Corrupt(Role::kLegacy, "only-legacy", "k", "v");
  world.Corrupt(Role::kUnified, "only-unified", "k", "v");

  EXPECT_THAT(NamesOf(Pass()), ElementsAre("only-legacy/k missing", "only-unified/k extra"));
}

TEST_F(ComparisonTest, LooksOnlyAtTheCollectionsAskedFor) {
  for (const char* name : {"a", "b", "c"}) world.Corrupt(Role::kLegacy, name, "k", "v");
  ComparisonOptions options;
  options.collections = {"b"};

  EXPECT_THAT(NamesOf(Pass(options)), ElementsAre("b/k missing"));
  EXPECT_EQ(records, 1u);
}

TEST_F(ComparisonTest, BordersAtEveryRecordLoseNothing) {
  const std::string longest(511, 'k');
  for (const std::string& key : {std::string("a"), std::string("ab"), std::string("a\0", 2),
                                 std::string("abc"), longest, longest.substr(1), std::string("b")})
    world.Log({PutOf("x", key, "v"), PutOf("y", key, "w")});
  world.ApplyAll();
  EXPECT_THAT(Pass(OneRecordChunks(), {std::chrono::milliseconds(0), 1}), IsEmpty());
  EXPECT_EQ(records, 14u);

  world.Corrupt(Role::kUnified, "x", longest, std::nullopt);
  world.Corrupt(Role::kLegacy, "y", std::string("a\0", 2), std::nullopt);
  world.Corrupt(Role::kUnified, "y", "zzz", "new");

  const auto differences = Pass(OneRecordChunks(), {std::chrono::milliseconds(0), 1});

  EXPECT_THAT(NamesOf(differences),
              ElementsAre("x/" + longest + " missing", "y/" + std::string("a\0", 2) + " extra",
                          "y/zzz extra"));
}

TEST_F(ComparisonTest, LongValuesAreComparedByDigest) {
  ComparisonOptions options;
  options.chunk.copied_value_bytes_max = 8;
  world.Log({PutOf("a", "1", std::string(100, 'x')), PutOf("a", "2", std::string(100, 'y'))});
  world.ApplyAll();
  EXPECT_THAT(Pass(options), IsEmpty());

  world.Corrupt(Role::kUnified, "a", "2", std::string(99, 'y') + "z");

  EXPECT_THAT(NamesOf(Pass(options)), ElementsAre("a/2 differs"));
}

TEST_F(ComparisonTest, StoresApartInEitherDirectionAreComparedAtTheLaterPosition) {
  for (const Role ahead : kRoles) {
    const std::string name = RoleName(ahead);
    world.Log(
        {PutOf(name, "changed", "old"), PutOf(name, "deleted", "x"), PutOf(name, "same", "s")});
    world.ApplyAll();
    world.Log({PutOf(name, "changed", "new"), DeleteOf(name, "deleted"), PutOf(name, "made", "m")});
    world.Apply(ahead, world.log.size());

    EXPECT_THAT(Pass(), IsEmpty()) << name;
    EXPECT_EQ(last_sequence, world.log.size());
    world.ApplyAll();
  }
}

TEST_F(ComparisonTest, ClearInTheLogHidesWhatTheStoreBehindStillHolds) {
  world.Log({PutOf("a", "1", "x"), PutOf("a", "2", "y"), PutOf("b", "1", "z")});
  world.ApplyAll();
  world.Log({PutOf("a", "3", "gone"), ClearOf("a"), PutOf("a", "2", "again"), DeleteOf("a", "9")});
  world.Apply(Role::kLegacy, 2);
  EXPECT_THAT(Pass(), IsEmpty());
  EXPECT_EQ(records, 2u);

  world.Corrupt(Role::kLegacy, "a", "1", "came back");

  EXPECT_THAT(NamesOf(Pass(OneRecordChunks())), ElementsAre("a/1 missing"));
}

// The effect is lost in the store that has moved on; what it should be is only in the log.
TEST_F(ComparisonTest, EffectThatTheStoreAheadHasLostIsFound) {
  world.Log({PutOf("a", "1", "x")});
  world.ApplyAll();
  world.Log({PutOf("a", "1", "y"), PutOf("a", "2", "z")});
  world.LoseBatch(Role::kUnified);

  EXPECT_THAT(NamesOf(Pass()), ElementsAre("a/1 differs", "a/2 missing"));
}

TEST_F(ComparisonTest, DifferenceThatIsGoneWhenReadAgainIsNotReported) {
  world.Log({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  world.ApplyAll();
  world.Corrupt(Role::kUnified, "a", "1", "wrong");
  world.Corrupt(Role::kUnified, "a", "2", "wrong");

  const auto differences = Pass({}, {}, [&] {
    world.Log({PutOf("a", "1", "written again")});
    world.ApplyAll();
  });

  EXPECT_THAT(NamesOf(differences), ElementsAre("a/2 differs"));
}

TEST_F(ComparisonTest, MoreDifferencesThanAWindowMayHoldAreAllFound) {
  ComparisonOptions options;
  options.candidate_count_max = 3;
  for (int i = 10; i < 50; ++i) {
    world.Corrupt(i % 2 == 0 ? Role::kLegacy : Role::kUnified, "a", std::to_string(i), "v");
  }

  EXPECT_EQ(Pass(options).size(), 40u);
  EXPECT_EQ(records, 40u);
}

TEST_F(ComparisonTest, SettledProgressIsEnoughToGoOn) {
  for (int i = 10; i < 40; ++i) world.Log({PutOf("a", std::to_string(i), "v")});
  world.ApplyAll();
  world.Corrupt(Role::kUnified, "a", "12", std::nullopt);
  world.Corrupt(Role::kUnified, "a", "27", "wrong");
  const WindowBudget budget{std::chrono::milliseconds(0), 1};

  // Interrupted after every window: what was found but not read again is found again.
  ComparisonProgress settled;
  std::vector<std::string> names;
  for (int windows = 0;; ++windows) {
    ASSERT_LT(windows, 1000);
    Comparison comparison(world, clock, OneRecordChunks(), settled);
    auto window = Must(comparison.Next(budget));
    if (!window.is_last && comparison.settled().key == settled.key) {
      window = Must(comparison.Next(budget));
      for (const std::string& name : NamesOf(window.differences)) names.push_back(name);
    }
    settled = comparison.settled();
    if (window.is_last) break;
  }

  EXPECT_THAT(names, ElementsAre("a/12 missing", "a/27 differs"));
  EXPECT_EQ(settled.records, 30u);
}

TEST_F(ComparisonTest, OverlayPastItsLimitIsBusyAndNothingHasMoved) {
  ComparisonOptions options;
  options.pair.overlay_bytes_max = 100;
  for (int i = 0; i < 10; ++i) world.Log({PutOf("a", std::to_string(i), "v")});
  world.Apply(Role::kLegacy, 10);
  Comparison comparison(world, clock, options);

  EXPECT_TRUE(FailsWith(comparison.Next({}), ErrorCode::kBusy));

  world.ApplyAll();
  EXPECT_TRUE(Must(comparison.Next({})).is_last);
  EXPECT_EQ(comparison.reached().records, 10u);
}

TEST_F(ComparisonTest, TrimmedLogIsBusyUntilTheStoresHaveMovedOn) {
  for (int i = 0; i < 4; ++i) world.Log({PutOf("a", std::to_string(i), "v")});
  world.Apply(Role::kUnified, 4);
  world.Apply(Role::kLegacy, 1);
  world.trimmed = 2;
  Comparison comparison(world, clock, {});

  EXPECT_TRUE(FailsWith(comparison.Next({}), ErrorCode::kBusy));

  world.Apply(Role::kLegacy, 3);
  EXPECT_TRUE(Must(comparison.Next({})).is_last);
}

TEST_F(ComparisonTest, BeforeThePositionAskedForItIsBusy) {
  ComparisonOptions options;
  options.sequence_min = 1;
  world.Log({PutOf("a", "1", "x")});
  Comparison comparison(world, clock, options);
  EXPECT_TRUE(FailsWith(comparison.Next({}), ErrorCode::kBusy));

  world.Apply(Role::kLegacy, 1);

  EXPECT_TRUE(Must(comparison.Next({})).is_last);
  EXPECT_EQ(comparison.reached().records, 1u);
}

TEST_F(ComparisonTest, StoreThatIsBeingFilledIsRefused) {
  StoreState state = world.target_store->State();
  state.is_filling = true;
  world.target_store->Commit({}, state);
  Comparison comparison(world, clock, {});

  EXPECT_TRUE(FailsWith(comparison.Next({}), ErrorCode::kRefused));
}

TEST_F(ComparisonTest, StoresOfDifferentLogsAreRefused) {
  StoreState state = world.target_store->State();
  state.log_id = "another";
  world.target_store->Commit({}, state);
  Comparison comparison(world, clock, {});

  EXPECT_TRUE(FailsWith(comparison.Next({}), ErrorCode::kRefused));
}

TEST_F(ComparisonTest, RecheckWaitsForThePositionAndTellsWhatStillDiffers) {
  world.Log({PutOf("a", "1", "x"), PutOf("a", "2", "y")});
  world.ApplyAll();
  world.Corrupt(Role::kUnified, "a", "1", "wrong");
  world.Corrupt(Role::kUnified, "a", "2", "wrong");
  const std::vector<RecordName> wanted{{"a", "1"}, {"a", "2"}};
  Comparison comparison(world, clock, {});
  world.Log({PutOf("a", "1", "x")});
  EXPECT_TRUE(FailsWith(comparison.Recheck(wanted, 2), ErrorCode::kBusy));

  world.Apply(Role::kLegacy, 2);

  EXPECT_THAT(NamesOf(Must(comparison.Recheck(wanted, 2))), ElementsAre("a/2 differs"));
}

TEST_F(ComparisonTest, HoldsNoSnapshotBetweenWindows) {
  world.Log({PutOf("a", "1", "x")});
  world.ApplyAll();
  Comparison comparison(world, clock, {});
  ASSERT_TRUE(Must(comparison.Next({})).is_last);

  // A collection that only the store refers to changes in place: nobody looks at it any more.
  world.Corrupt(Role::kUnified, "a", "1", "y");

  EXPECT_EQ(world.ContentOf(*world.target_store)["a"]["1"], "y");
}

}  // namespace
}  // namespace switchback::test
