#include "service/memtable.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "tests/support/shifted_clock.hpp"
#include "tests/unit/service/batch_maker.hpp"

namespace switchback {
namespace {

using test::TextOf;
using namespace std::chrono_literals;
using Found = Memtable::Found;

class MemtableTest : public ::testing::Test {
 protected:
  MemtableOptions Options() const {
    return {.bytes_max = 1 << 20,
            .record_count_max = 100,
            .segment_bytes_max = 1 << 18,
            .segment_record_count_max = 10,
            .clock = &clock_};
  }
  // One batch, in a segment of its own.
  void PublishSealed() {
    memtable_.Publish(maker_.Take());
    (void)memtable_.NextFor(memtable_.last_sequence() - 1, {0ms, 0ms, kApplyBytesMax, 1000});
  }
  std::string Lookup(const std::string& name, std::string_view key) {
    std::string_view value;
    SharedLock lock(memtable_.mutex());
    switch (memtable_.Find(maker_.collection(name), key, value)) {
      case Found::kPut: return "put " + std::string(value);
      case Found::kAbsent: return "absent";
      case Found::kNothing: return "nothing";
    }
    return "?";
  }
  std::string Walk(const std::string& name, std::string_view from = "") {
    SharedLock lock(memtable_.mutex());
    auto cursor = memtable_.Seek(maker_.collection(name), from);
    std::string text = cursor.is_store_hidden() ? "hidden" : "";
    for (; cursor.is_valid(); cursor.Next()) {
      text += " " + std::string(cursor.key());
      text += cursor.entry().is_put ? "=" + std::string(cursor.entry().value) : "-";
    }
    return text;
  }
  std::string Next(std::uint64_t applied, std::chrono::milliseconds age_min = 0ms,
                   std::size_t record_count_max = 1000, std::size_t bytes_max = 1 << 20) {
    std::string text;
    for (const auto& segment :
         memtable_.NextFor(applied, {age_min, quiet_min_, bytes_max, record_count_max})) {
      if (!text.empty()) text += " ";
      text += std::to_string(segment->first_sequence()) + "-" +
              std::to_string(segment->last_sequence());
    }
    return text;
  }
  std::uint64_t Tag() { return Memtable::SnapshotTag(memtable_.version()); }
  bool IsEmpty() { return Memtable::IsEmpty(memtable_.version()); }
  bool IsCovered(Role role) {
    SharedLock lock(memtable_.mutex());
    return memtable_.IsCovered(role);
  }

  test::ShiftedClock clock_;
  std::chrono::milliseconds quiet_min_ = 1h;
  test::BatchMaker maker_;
  Memtable memtable_{Options(), 0};
};

TEST_F(MemtableTest, FindsTheNewestEffectAcrossSegments) {
  maker_.Put("a", "k", "1").Put("a", "gone", "1").Put("b", "k", "other");
  PublishSealed();
  maker_.Put("a", "k", "2").Delete("a", "gone");
  PublishSealed();

  EXPECT_EQ(Lookup("a", "k"), "put 2");
  EXPECT_EQ(Lookup("a", "gone"), "absent");
  EXPECT_EQ(Lookup("b", "k"), "put other");
  EXPECT_EQ(Lookup("a", "never"), "nothing");
}

TEST_F(MemtableTest, AClearHidesOlderSegmentsAndTheStore) {
  maker_.Put("a", "old", "1");
  PublishSealed();
  maker_.Clear("a");
  PublishSealed();
  maker_.Put("a", "new", "1");
  PublishSealed();

  EXPECT_EQ(Lookup("a", "old"), "absent");
  EXPECT_EQ(Lookup("a", "stored long ago"), "absent");
  EXPECT_EQ(Lookup("a", "new"), "put 1");
  EXPECT_EQ(Lookup("b", "x"), "nothing");
  EXPECT_EQ(Walk("a"), "hidden new=1");
}

TEST_F(MemtableTest, ACursorMergesSegmentsInKeyOrder) {
  maker_.Put("a", "b", "1").Put("a", "d", "1").Delete("a", "f");
  PublishSealed();
  maker_.Put("a", "a", "2").Delete("a", "b").Put("a", "f", "2");
  PublishSealed();
  maker_.Put("a", "c", "3").Put("a", "f", "3").Put("z", "a", "other");
  PublishSealed();

  EXPECT_EQ(Walk("a"), " a=2 b- c=3 d=1 f=3");
  EXPECT_EQ(Walk("a", "b"), " b- c=3 d=1 f=3");
  EXPECT_EQ(Walk("a", "bb"), " c=3 d=1 f=3");
  EXPECT_EQ(Walk("a", "g"), "");
  EXPECT_EQ(Walk("none"), "");
}

TEST_F(MemtableTest, ASegmentLeavesWhenEveryCoveredStoreHasAppliedIt) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  ASSERT_TRUE(memtable_.Cover(Role::kUnified, 0));
  maker_.Put("a", "k1", "1");
  PublishSealed();
  maker_.Put("a", "k2", "2");
  PublishSealed();

  EXPECT_TRUE(memtable_.Applied(Role::kLegacy, 2));
  EXPECT_EQ(Lookup("a", "k1"), "put 1") << "unified has not applied it";
  EXPECT_TRUE(memtable_.Applied(Role::kUnified, 1));
  EXPECT_EQ(Lookup("a", "k1"), "nothing");
  EXPECT_EQ(Lookup("a", "k2"), "put 2");
  EXPECT_FALSE(IsEmpty());
  EXPECT_TRUE(memtable_.Applied(Role::kUnified, 2));
  EXPECT_TRUE(IsEmpty());
  EXPECT_EQ(memtable_.GetSize().bytes, 0u);
  EXPECT_EQ(memtable_.GetSize().records, 0u);
}

TEST_F(MemtableTest, HalfAppliedSegmentsStay) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  memtable_.Publish(maker_.Put("a", "k1", "1").Take());
  memtable_.Publish(maker_.Put("a", "k2", "2").Take());
  ASSERT_EQ(Next(0), "1-2");

  EXPECT_TRUE(memtable_.Applied(Role::kLegacy, 1));
  EXPECT_EQ(Lookup("a", "k1"), "put 1");
  EXPECT_EQ(Next(1), "1-2") << "applying it again is harmless";
}

TEST_F(MemtableTest, AStoreThatLacksWhatHasLeftCannotBeCovered) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  maker_.Put("a", "k1", "1");
  PublishSealed();
  maker_.Put("a", "k2", "2");
  PublishSealed();
  memtable_.Applied(Role::kLegacy, 1);

  EXPECT_FALSE(memtable_.Cover(Role::kUnified, 0));
  EXPECT_FALSE(IsCovered(Role::kUnified));
  EXPECT_TRUE(memtable_.Cover(Role::kUnified, 1));
  memtable_.Applied(Role::kLegacy, 2);
  memtable_.Applied(Role::kUnified, 2);
  memtable_.Uncover(Role::kUnified);
  EXPECT_FALSE(memtable_.Cover(Role::kUnified, 1)) << "empty, and batch 2 is gone";
  EXPECT_TRUE(memtable_.Cover(Role::kUnified, 2));
}

TEST_F(MemtableTest, AStoreThatLeavesNoLongerHoldsSegmentsBack) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  ASSERT_TRUE(memtable_.Cover(Role::kUnified, 0));
  maker_.Put("a", "k", "1");
  PublishSealed();
  memtable_.Applied(Role::kLegacy, 1);

  memtable_.Uncover(Role::kUnified);

  EXPECT_TRUE(IsEmpty());
  EXPECT_FALSE(memtable_.Applied(Role::kUnified, 1));
}

TEST_F(MemtableTest, WithoutAnyCoveredStoreNothingLeaves) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  maker_.Put("a", "k", "1");
  PublishSealed();

  memtable_.Uncover(Role::kLegacy);

  EXPECT_EQ(Lookup("a", "k"), "put 1");
  EXPECT_TRUE(memtable_.Cover(Role::kLegacy, 0));
}

TEST_F(MemtableTest, TheTagChangesWheneverASnapshotMightMissSomething) {
  const std::uint64_t at_start = Tag();
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  const std::uint64_t covered = Tag();
  EXPECT_NE(covered, at_start);

  maker_.Put("a", "k1", "1");
  PublishSealed();
  EXPECT_EQ(Tag(), covered) << "what comes in is found in the memtable";
  EXPECT_FALSE(IsEmpty());

  memtable_.Applied(Role::kLegacy, 1);
  const std::uint64_t evicted = Tag();
  EXPECT_NE(evicted, covered);
  EXPECT_TRUE(IsEmpty());

  memtable_.Applied(Role::kLegacy, 1);
  EXPECT_EQ(Tag(), evicted) << "nothing left";
  memtable_.Uncover(Role::kLegacy);
  EXPECT_NE(Tag(), evicted);
  const std::uint64_t uncovered = Tag();
  memtable_.Uncover(Role::kLegacy);
  EXPECT_EQ(Tag(), uncovered);
}

TEST_F(MemtableTest, TheOpenSegmentGathersUntilItIsOldEnough) {
  memtable_.Publish(maker_.Put("a", "k1", "1").Take());
  EXPECT_EQ(Next(0, 20ms), "");
  memtable_.Publish(maker_.Put("a", "k2", "1").Take());
  EXPECT_EQ(Next(0, 10min), "");
  clock_.Advance(20ms);

  EXPECT_EQ(Next(0, 20ms), "1-2");
  memtable_.Publish(maker_.Put("a", "k3", "1").Take());
  EXPECT_EQ(Next(2, 10min), "") << "a sealed segment takes no more";
  EXPECT_EQ(Next(2), "3-3");
  EXPECT_EQ(Next(3), "");
}

TEST_F(MemtableTest, AFullSegmentIsSealed) {
  for (int i = 0; i < 10; ++i) memtable_.Publish(maker_.Put("a", std::to_string(i), "").Take());
  memtable_.Publish(maker_.Put("a", "next", "").Take());

  EXPECT_EQ(Next(0), "1-10 11-11");
}

TEST_F(MemtableTest, WhatFillsATransactionDoesNotWaitToGrowOld) {
  for (int i = 0; i < 25; ++i) memtable_.Publish(maker_.Put("a", std::to_string(i), "").Take());

  EXPECT_EQ(Next(0, 10min, 26), "") << "one more record would fit";
  EXPECT_EQ(Next(0, 10min, 25), "1-10 11-20 21-25");
  EXPECT_EQ(Next(0, 10min, 15), "1-10") << "a segment is not divided";
  EXPECT_EQ(Next(20, 10min), "");
  EXPECT_EQ(Next(20, 10min, 1000, 100), "21-25") << "full by bytes";
}

TEST_F(MemtableTest, GatheringEndsWhenNoMoreCome) {
  quiet_min_ = 100ms;
  memtable_.Publish(maker_.Put("a", "k1", "1").Take());
  clock_.Advance(60ms);
  memtable_.Publish(maker_.Put("a", "k2", "1").Take());
  clock_.Advance(60ms);
  EXPECT_EQ(Next(0, 10min), "") << "the last one is 60 ms old";
  clock_.Advance(40ms);
  EXPECT_EQ(Next(0, 10min), "1-2");
}

TEST_F(MemtableTest, LoadsWhatRecoveryHasBuilt) {
  memtable_.Publish(maker_.Put("a", "k1", "1").Take());
  auto segment = std::make_shared<Segment>(2, SteadyTime{});
  segment->AddAll(std::vector<Batch>(1, maker_.Put("a", "k1", "2").Take()));
  memtable_.Load(segment);
  memtable_.Publish(maker_.Put("a", "k2", "3").Take());

  EXPECT_EQ(Lookup("a", "k1"), "put 2");
  EXPECT_EQ(Lookup("a", "k2"), "put 3");
  EXPECT_EQ(memtable_.GetSize().records, 3u);
  EXPECT_EQ(Next(0), "1-1 2-2 3-3") << "a loaded segment takes no more";
}

TEST_F(MemtableTest, ASlowFollowerTakesSeveralSegmentsUpToALimit) {
  for (int i = 0; i < 4; ++i) {
    maker_.Put("a", std::to_string(i), "").Put("b", "k", "");
    PublishSealed();
  }
  EXPECT_EQ(Next(0, 0ms, 1000), "1-1 2-2 3-3 4-4");
  EXPECT_EQ(Next(0, 0ms, 5), "1-1 2-2");
  EXPECT_EQ(Next(1, 0ms, 1), "2-2") << "at least one";
  EXPECT_EQ(Next(4), "");
}

TEST_F(MemtableTest, IsFullByRecordsAndByBytes) {
  EXPECT_FALSE(memtable_.IsFull());
  maker_.Put("a", "large", std::string(1 << 20, 'x'));
  PublishSealed();
  EXPECT_TRUE(memtable_.IsFull());
  EXPECT_FALSE(memtable_.WaitForRoom(std::chrono::steady_clock::now()));

  memtable_.Cover(Role::kLegacy, 1);
  EXPECT_FALSE(memtable_.IsFull());
  EXPECT_TRUE(memtable_.WaitForRoom(std::chrono::steady_clock::now()));
  for (int i = 0; i < 100; ++i) maker_.Put("a", std::to_string(i), "");
  PublishSealed();
  EXPECT_TRUE(memtable_.IsFull());
}

TEST_F(MemtableTest, RoomWakesAWaitingWriter) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  for (int i = 0; i < 100; ++i) maker_.Put("a", std::to_string(i), "");
  PublishSealed();
  std::thread follower([&] { memtable_.Applied(Role::kLegacy, 1); });

  EXPECT_TRUE(memtable_.WaitForRoom(std::chrono::steady_clock::now() + 1min));
  follower.join();
}

TEST_F(MemtableTest, TheLastCoveredStoreStays) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  EXPECT_FALSE(memtable_.UncoverUnlessLast(Role::kLegacy));
  EXPECT_TRUE(IsCovered(Role::kLegacy));
  EXPECT_TRUE(memtable_.UncoverUnlessLast(Role::kUnified)) << "it is out already";

  ASSERT_TRUE(memtable_.Cover(Role::kUnified, 0));
  EXPECT_TRUE(memtable_.UncoverUnlessLast(Role::kLegacy));
  EXPECT_FALSE(IsCovered(Role::kLegacy));
  EXPECT_FALSE(memtable_.UncoverUnlessLast(Role::kUnified));
}

TEST_F(MemtableTest, TheLastStoreWithAllCollectionsStays) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  ASSERT_TRUE(memtable_.Cover(Role::kUnified, 0, /*is_whole=*/false));

  EXPECT_FALSE(memtable_.UncoverUnlessLast(Role::kLegacy));

  EXPECT_TRUE(memtable_.UncoverUnlessLast(Role::kUnified));
}

TEST_F(MemtableTest, ABatchEndsTheFollowersWait) {
  std::thread writer([&] { memtable_.Publish(maker_.Put("a", "k", "v").Take()); });
  memtable_.WaitForWork(0, memtable_.WakeCount(), std::chrono::steady_clock::now() + 1min);
  writer.join();
  EXPECT_EQ(memtable_.last_sequence(), 1u);
  memtable_.WaitForWork(1, memtable_.WakeCount(), std::chrono::steady_clock::now());  // deadline
}

TEST_F(MemtableTest, NoWakeIsMissedBetweenLookingAndWaiting) {
  const auto far = std::chrono::steady_clock::now() + 10min;
  const std::uint64_t seen = memtable_.WakeCount();
  memtable_.Wake();

  memtable_.WaitForWork(0, seen, far);
  memtable_.WaitForMore(seen, far);
  EXPECT_EQ(memtable_.WakeCount(), seen + 1);
}

TEST_F(MemtableTest, ASegmentThatFillsUpEndsTheWaitForMore) {
  const std::uint64_t seen = memtable_.WakeCount();
  std::thread writer([&] {
    while (memtable_.WakeCount() == seen) memtable_.Publish(maker_.Put("a", "k", "v").Take());
  });
  memtable_.WaitForMore(seen, std::chrono::steady_clock::now() + 10min);
  writer.join();
}

TEST_F(MemtableTest, NamesCollectionsThatAPutShowsToExist) {
  maker_.Delete("never", "k").Put("a", "k", "1").Clear("cleared");
  PublishSealed();
  maker_.Delete("a", "k").Put("b", "k", "");
  PublishSealed();

  std::vector<std::string> names;
  {
    SharedLock lock(memtable_.mutex());
    for (const Collection* collection : memtable_.TouchedCollections())
      names.push_back(collection->name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
}

TEST_F(MemtableTest, KnowsTheAgeOfWhatAStoreLacks) {
  EXPECT_FALSE(memtable_.OldestAfter(0).has_value());
  const SteadyTime before = clock_.Now();
  maker_.Put("a", "k", "");
  PublishSealed();
  clock_.Advance(5s);
  maker_.Put("a", "k", "");
  PublishSealed();

  EXPECT_LT(*memtable_.OldestAfter(0), before + 5s);
  EXPECT_GE(*memtable_.OldestAfter(1), before + 5s);
  EXPECT_FALSE(memtable_.OldestAfter(2).has_value());
}

TEST_F(MemtableTest, ImpossiblePositionsStopTheProcess) {
  ASSERT_TRUE(memtable_.Cover(Role::kLegacy, 0));
  EXPECT_DEATH(memtable_.Cover(Role::kUnified, 1), "ahead of the log");
  maker_.Put("a", "k", "");
  PublishSealed();
  memtable_.Applied(Role::kLegacy, 1);
  EXPECT_DEATH(memtable_.Applied(Role::kLegacy, 0), "never goes back");
  const Batch skipped = test::BatchMaker(3).Put("a", "k", "").Take();
  EXPECT_DEATH(memtable_.Publish(skipped), "in order");
}

// The memtable over stores that apply what it hands out, at random times, is the fold of all
// batches: the invariant that reads stand on (I4).
TEST_F(MemtableTest, OverAnyCoveredStoreItIsTheFoldOfAllBatches) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  using Content = std::map<std::string, std::string>;
  const auto fold = [](Content& content, const std::vector<Effect>& effects) {
    for (const Effect& effect : effects) {
      if (effect.kind == EffectKind::kClear) content.clear();
      if (effect.kind == EffectKind::kDelete) content.erase(std::string(effect.key));
      if (effect.kind == EffectKind::kPut) content[std::string(effect.key)] = effect.value;
    }
  };
  Content all;
  std::array<Content, kRoleCount> stores;
  std::array<std::uint64_t, kRoleCount> applied{};
  for (const Role role : kRoles) ASSERT_TRUE(memtable_.Cover(role, 0));
  for (int step = 0; step < 4000; ++step) {
    const Role role = kRoles[random() % 2];
    const auto action = random() % 20;
    if (action < 8) {
      for (std::size_t effects = 1 + random() % 4; effects > 0; --effects) {
        const std::string key = "k" + std::to_string(random() % 8);
        const auto kind = random() % 12;
        if (kind == 0) maker_.Clear("a");
        if (kind > 0 && kind < 4) maker_.Delete("a", key);
        if (kind >= 4) maker_.Put("a", key, std::to_string(step));
      }
      const Batch batch = maker_.Take();
      fold(all, batch.effects);
      memtable_.Publish(batch);
    } else if (action < 12) {
      if (!IsCovered(role)) continue;
      const auto segments =
          memtable_.NextFor(applied[Index(role)], {0ms, 0ms, 1 << 20, random() % 20});
      if (segments.empty()) continue;
      fold(stores[Index(role)], Segment::NetEffects(segments));
      applied[Index(role)] = segments.back()->last_sequence();
      ASSERT_TRUE(memtable_.Applied(role, applied[Index(role)]));
    } else if (action == 12) {
      memtable_.Uncover(role);
    } else if (action == 13) {
      if (!IsCovered(role)) (void)memtable_.Cover(role, applied[Index(role)]);
    } else if (IsCovered(role)) {
      const std::string key = "k" + std::to_string(random() % 8);
      std::string seen = Lookup("a", key);
      const auto stored = stores[Index(role)].find(key);
      if (seen == "nothing")
        seen = stored == stores[Index(role)].end() ? "absent" : "put " + stored->second;
      const auto expected = all.find(key);
      ASSERT_EQ(seen, expected == all.end() ? "absent" : "put " + expected->second)
          << key << " on " << RoleName(role) << " at step " << step;
    }
  }
}

}  // namespace
}  // namespace switchback
