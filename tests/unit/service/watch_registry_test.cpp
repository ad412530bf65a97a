#include "service/watch_registry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/service/batch_maker.hpp"

namespace switchback {
namespace {

class WatchRegistryTest : public ::testing::Test {
 protected:
  void Touch() { registry_.Touch(maker_.Take().effects); }

  test::BatchMaker maker_;
  const Collection& a_ = maker_.collection("a");
  const Collection& b_ = maker_.collection("b");
  WatchRegistry registry_;
};

TEST_F(WatchRegistryTest, AChangeOfAWatchedKeyMakesItsWatchersDirty) {
  WatchRegistry::Set one(registry_), two(registry_), other(registry_);
  one.Add(a_, "k");
  two.Add(a_, "x");
  two.Add(a_, "k");
  other.Add(b_, "k");

  maker_.Put("a", "unwatched", "1");
  Touch();
  EXPECT_FALSE(one.is_dirty() || two.is_dirty() || other.is_dirty());

  maker_.Delete("a", "k");
  Touch();
  EXPECT_TRUE(one.is_dirty());
  EXPECT_TRUE(two.is_dirty());
  EXPECT_FALSE(other.is_dirty());
}

TEST_F(WatchRegistryTest, AClearTouchesEveryKeyOfTheCollection) {
  WatchRegistry::Set set(registry_), other(registry_);
  set.Add(a_, "k");
  other.Add(b_, "k");

  maker_.Clear("a");
  Touch();

  EXPECT_TRUE(set.is_dirty());
  EXPECT_FALSE(other.is_dirty());
}

TEST_F(WatchRegistryTest, ClearForgetsTheKeysAndTheDirt) {
  WatchRegistry::Set set(registry_);
  set.Add(a_, "k");
  maker_.Put("a", "k", "1");
  Touch();
  ASSERT_TRUE(set.is_dirty());

  set.Clear();

  EXPECT_FALSE(set.is_dirty());
  EXPECT_TRUE(set.keys().empty());
  EXPECT_FALSE(registry_.IsAnyoneWatching());
  maker_.Put("a", "k", "2");
  Touch();
  EXPECT_FALSE(set.is_dirty());
}

TEST_F(WatchRegistryTest, AKeyWatchedTwiceCountsOnce) {
  WatchRegistry::Set set(registry_);
  set.Add(a_, "k");
  set.Add(a_, "k");
  EXPECT_EQ(set.keys().size(), 1u);
  EXPECT_TRUE(registry_.IsAnyoneWatching());
  set.Clear();
  EXPECT_FALSE(registry_.IsAnyoneWatching());
}

TEST_F(WatchRegistryTest, ASetThatDiesLeavesNothingBehind) {
  {
    WatchRegistry::Set set(registry_);
    set.Add(a_, "k");
    set.Add(b_, "k");
  }
  EXPECT_FALSE(registry_.IsAnyoneWatching());
  maker_.Put("a", "k", "1").Clear("b");
  Touch();
}

// What the client relies on: register, then read; a change after the read makes the set dirty.
TEST_F(WatchRegistryTest, NoChangeAfterTheReadIsMissed) {
  std::atomic<std::uint64_t> value{0};  // stands for the memtable
  std::atomic<bool> stop{false};
  std::thread pipeline([&] {
    while (!stop) {
      value.fetch_add(1);
      maker_.Put("a", "k", "x");
      Touch();
    }
  });
  int clean = 0;
  for (int i = 0; i < 20000; ++i) {
    WatchRegistry::Set set(registry_);
    set.Add(a_, "k");
    const std::uint64_t seen = value.load();
    const bool is_changed = value.load() > seen + 1;  // a whole change and its Touch since
    EXPECT_TRUE(!is_changed || set.is_dirty());
    clean += set.is_dirty() ? 0 : 1;
  }
  stop = true;
  pipeline.join();
  EXPECT_GT(clean, 0);
}

}  // namespace
}  // namespace switchback
