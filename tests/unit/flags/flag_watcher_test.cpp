#include "flags/flag_watcher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flags/flag_file.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using testing_flags::FileWith;
using testing_flags::FrozenClock;
using testing_flags::TempFolder;
using testing_flags::WriteByRename;
using testing_flags::WriteInPlace;

// Far more than anything here takes: it ends a test that has failed already.
constexpr std::chrono::seconds kPatience{20};

// Waits for what on_load was given.
class Loads {
 public:
  FlagLoadCallback Callback() {
    return [this](std::shared_ptr<const FlagSnapshot> snapshot) {
      MutexLock lock(mutex_);
      seen_.push_back(std::move(snapshot));
      changed_.NotifyAll();
    };
  }

  template <class Predicate>
  bool WaitFor(Predicate predicate) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    MutexLock lock(mutex_);
    while (seen_.empty() || !predicate(*seen_.back())) {
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
    return true;
  }
  bool WaitForRevision(std::uint64_t revision) {
    return WaitFor([revision](const FlagSnapshot& seen) { return seen.revision >= revision; });
  }
  std::size_t count() {
    MutexLock lock(mutex_);
    return seen_.size();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<const FlagSnapshot>> seen_ SB_GUARDED_BY(mutex_);
};

class FlagWatcherTest : public ::testing::Test {
 protected:
  [[nodiscard]] bool IsOn() const { return store_.Current()->unified().Decide("a"); }

  TempFolder folder_;
  std::string path_ = folder_.File("flags.json");
  FlagStore store_;
  Loads loads_;
  // With it neither the poll nor the wait for quiet ever comes due: what a test sees then came from
  // an event or a request alone.
  FrozenClock frozen_;
};

TEST_F(FlagWatcherTest, HasLoadedTheFileWhenStartReturns) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);

  watcher.Start();

  EXPECT_TRUE(IsOn());
  EXPECT_EQ(store_.Current()->revision, 1u);
  EXPECT_EQ(loads_.count(), 1u);
}

TEST_F(FlagWatcherTest, StartsWithoutAFileAndTakesItWhenItComes) {
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();
  EXPECT_FALSE(IsOn());
  EXPECT_NE(store_.Current()->warning, "");

  WriteInPlace(path_, FileWith("true"));

  ASSERT_TRUE(loads_.WaitForRevision(1));
  EXPECT_TRUE(IsOn());
  EXPECT_EQ(store_.Current()->warning, "");
}

// The bar is 50 ms from rename to changed answer, 20 of 20. With the clock standing only the event
// itself can bring the change, with no poll and no wait in between; the times are recorded for
// people.
TEST_F(FlagWatcherTest, EveryRenameChangesTheAnswerByItsEventAlone) {
  WriteInPlace(path_, FileWith("false"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  std::vector<double> times_ms;
  for (std::uint64_t flip = 1; flip <= 20; ++flip) {
    const bool is_on = flip % 2 == 1;
    const auto begin = std::chrono::steady_clock::now();
    WriteByRename(path_, FileWith(is_on ? "true" : "false"));
    ASSERT_TRUE(loads_.WaitForRevision(flip + 1));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    times_ms.push_back(took.count());
    EXPECT_EQ(IsOn(), is_on) << flip;
  }

  std::sort(times_ms.begin(), times_ms.end());
  RecordProperty("median_us", static_cast<int>(times_ms[10] * 1000));
  RecordProperty("max_us", static_cast<int>(times_ms.back() * 1000));
}

TEST_F(FlagWatcherTest, EachWayToReplaceAFileWorksByItsEvent) {
  WriteInPlace(path_, FileWith("false"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loads_.WaitForRevision(2));

  ASSERT_TRUE(SetFlagInFile(path_, "USE_UNIFIED_DB_SERVICE", {.enabled = false, .percentage = {}}));
  ASSERT_TRUE(loads_.WaitForRevision(3));
  EXPECT_FALSE(IsOn());

  const TempFolder elsewhere;
  WriteInPlace(elsewhere.File("real.json"), FileWith("true"));
  fs::create_symlink(elsewhere.File("real.json"), folder_.File("link"));
  fs::rename(folder_.File("link"), path_);
  ASSERT_TRUE(loads_.WaitForRevision(4));
  EXPECT_TRUE(IsOn());

  // And from now on where the link leads.
  WriteByRename(elsewhere.File("real.json"), FileWith("false"));
  ASSERT_TRUE(loads_.WaitForRevision(5));
  EXPECT_FALSE(IsOn());
}

TEST_F(FlagWatcherTest, TheKubernetesLinkSwapFlips) {
  for (const char* version : {"..v0", "..v1"}) fs::create_directory(folder_.File(version));
  WriteInPlace(folder_.File("..v0/flags.json"), FileWith("false"));
  WriteInPlace(folder_.File("..v1/flags.json"), FileWith("true"));
  fs::create_directory_symlink("..v0", folder_.File("..data"));
  fs::create_symlink("..data/flags.json", path_);
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  for (std::uint64_t flip = 1; flip <= 6; ++flip) {
    fs::create_directory_symlink(flip % 2 == 1 ? "..v1" : "..v0", folder_.File("..data_tmp"));
    fs::rename(folder_.File("..data_tmp"), folder_.File("..data"));
    ASSERT_TRUE(loads_.WaitForRevision(flip + 1));
    EXPECT_EQ(IsOn(), flip % 2 == 1);
  }
}

TEST_F(FlagWatcherTest, BrokenContentKeepsTheLastGoodFlags) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  WriteByRename(path_, "{\"USE_UNIFIED_DB_SERVICE\": fal");

  ASSERT_TRUE(loads_.WaitFor([](const FlagSnapshot& seen) { return !seen.warning.empty(); }));
  EXPECT_TRUE(IsOn());
  EXPECT_EQ(watcher.reload_failures(), 1u);
}

TEST_F(FlagWatcherTest, TheSamePublishedAgainIsALoadOfTheSameRevision) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  WriteByRename(path_, FileWith("true"));

  ASSERT_TRUE(loads_.WaitFor([](const FlagSnapshot& seen) { return seen.load_count >= 2; }));
  EXPECT_EQ(store_.Current()->revision, 1u);
}

// The remaining traps have no event that ends them; the poll does, on the real clock, within a
// second. The tests wait for the outcome and not for a time.
TEST_F(FlagWatcherTest, ADeletedFileKeepsTheFlagsAndIsToldOf) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), SystemClock());
  watcher.Start();

  fs::remove(path_);

  ASSERT_TRUE(loads_.WaitFor([](const FlagSnapshot& seen) { return !seen.warning.empty(); }));
  EXPECT_TRUE(IsOn());
}

TEST_F(FlagWatcherTest, AFolderThatComesLaterAndIsThenReplacedIsFollowed) {
  const std::string place = folder_.File("place");
  FlagWatcher watcher(place + "/flags.json", store_, loads_.Callback(), SystemClock());
  watcher.Start();

  fs::create_directory(folder_.File("first"));
  WriteInPlace(folder_.File("first/flags.json"), FileWith("true"));
  fs::rename(folder_.File("first"), place);
  ASSERT_TRUE(loads_.WaitForRevision(1));
  EXPECT_TRUE(IsOn());

  fs::create_directory(folder_.File("second"));
  WriteInPlace(folder_.File("second/flags.json"), FileWith("false"));
  fs::rename(place, folder_.File("old"));
  fs::rename(folder_.File("second"), place);
  ASSERT_TRUE(loads_.WaitForRevision(2));
  EXPECT_FALSE(IsOn());

  WriteByRename(place + "/flags.json", FileWith("true"));
  ASSERT_TRUE(loads_.WaitForRevision(3));
}

TEST_F(FlagWatcherTest, AHardLinkPutInPlaceIsSeenWithoutAClosingWrite) {
  WriteInPlace(folder_.File("prepared"), FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), SystemClock());
  watcher.Start();

  fs::create_hard_link(folder_.File("prepared"), path_);

  ASSERT_TRUE(loads_.WaitForRevision(1));
  EXPECT_TRUE(IsOn());
}

TEST_F(FlagWatcherTest, ReloadNowHasPublishedWhenItReturns) {
  WriteInPlace(path_, FileWith("false"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  for (int flip = 1; flip <= 50; ++flip) {
    const bool is_on = flip % 2 == 1;
    const FlagChange change{.enabled = is_on, .percentage = {}};
    ASSERT_TRUE(SetFlagInFile(path_, "USE_UNIFIED_DB_SERVICE", change));
    ASSERT_TRUE(watcher.ReloadNow());
    ASSERT_EQ(IsOn(), is_on) << flip;
  }
}

TEST_F(FlagWatcherTest, ReloadNowReturnsWhyTheFileIsNotInForce) {
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();
  EXPECT_EQ(watcher.ReloadNow().error().code, ErrorCode::kNotFound);

  WriteInPlace(path_, "[]");
  EXPECT_EQ(watcher.ReloadNow().error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FlagWatcherTest, ManyThreadsMayReloadAtOnce) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();

  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&watcher] {
      for (int round = 0; round < 50; ++round) EXPECT_TRUE(watcher.ReloadNow());
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(store_.Current()->revision, 1u);
}

TEST_F(FlagWatcherTest, ReloadNowIsCancelledWhenNotRunning) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  EXPECT_EQ(watcher.ReloadNow().error().code, ErrorCode::kCancelled);

  watcher.Stop();
  watcher.Stop();

  EXPECT_EQ(watcher.ReloadNow().error().code, ErrorCode::kCancelled);
  EXPECT_EQ(loads_.count(), 0u);
}

TEST_F(FlagWatcherTest, NothingIsPublishedAfterStop) {
  WriteInPlace(path_, FileWith("true"));
  FlagWatcher watcher(path_, store_, loads_.Callback(), frozen_);
  watcher.Start();
  watcher.Stop();

  WriteByRename(path_, FileWith("false"));

  EXPECT_TRUE(IsOn());
  EXPECT_EQ(loads_.count(), 1u);
}

}  // namespace
}  // namespace switchback
