#include "flags/flag_store.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace switchback {
namespace {

std::shared_ptr<const FlagSnapshot> SnapshotOf(std::uint64_t revision, bool enabled) {
  auto snapshot = std::make_shared<FlagSnapshot>();
  snapshot->revision = revision;
  FlagSettings settings;
  settings.enabled = enabled;
  snapshot->flags.emplace(kUnifiedFlagName, FlagRule(settings));
  return snapshot;
}

TEST(FlagStore, HoldsAnEmptySnapshotBeforeTheFirstPublish) {
  const FlagStore store;
  FlagStore::Reader reader(store);

  ASSERT_NE(store.Current(), nullptr);
  EXPECT_EQ(store.Current()->revision, 0u);
  EXPECT_FALSE(store.Current()->is_from_file);
  EXPECT_FALSE(reader.Current().unified().Decide("a"));
}

TEST(FlagStore, AReaderSeesWhatWasPublishedLast) {
  FlagStore store;
  FlagStore::Reader reader(store);

  store.Publish(SnapshotOf(1, true));
  EXPECT_TRUE(reader.Current().unified().Decide("a"));
  EXPECT_EQ(&reader.Current(), store.Current().get());

  store.Publish(SnapshotOf(2, false));
  EXPECT_FALSE(reader.Current().unified().Decide("a"));
}

TEST(FlagStore, AReaderKeepsItsSnapshotAliveUntilItAsksAgain) {
  FlagStore store;
  auto first = SnapshotOf(1, true);
  const std::weak_ptr<const FlagSnapshot> watch = first;
  store.Publish(std::move(first));
  FlagStore::Reader reader(store);

  store.Publish(SnapshotOf(2, false));
  EXPECT_FALSE(watch.expired());

  EXPECT_EQ(reader.Current().revision, 2u);
  EXPECT_TRUE(watch.expired());
}

TEST(FlagStore, UnifiedIsOffWhenTheFlagIsMissing) {
  FlagSnapshot snapshot;
  FlagSettings on;
  on.enabled = true;
  snapshot.flags.emplace("ANOTHER", FlagRule(on));

  EXPECT_FALSE(snapshot.unified().Decide("a"));
}

// For the thread sanitizer as much as for the assertion: no reader goes back in revisions or sees a
// snapshot half made, and each ends with the last.
TEST(FlagStore, ReadersOnManyThreadsMoveForwardOnly) {
  constexpr std::uint64_t kRevisionCount = 2000;
  FlagStore store;
  std::atomic<int> faults{0};

  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&store, &faults] {
      FlagStore::Reader view(store);
      std::uint64_t seen = 0;
      while (seen < kRevisionCount) {
        const FlagSnapshot& snapshot = view.Current();
        const bool is_on = snapshot.unified().Decide("a");
        if (snapshot.revision < seen || is_on != (snapshot.revision % 2 == 1)) ++faults;
        seen = snapshot.revision;
      }
    });
  }
  for (std::uint64_t revision = 1; revision <= kRevisionCount; ++revision) {
    store.Publish(SnapshotOf(revision, revision % 2 == 1));
  }
  for (std::thread& reader : readers) reader.join();

  EXPECT_EQ(faults, 0);
}

}  // namespace
}  // namespace switchback
