#include "flags/folder_watch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using testing_flags::TempFolder;
using testing_flags::WriteByRename;
using testing_flags::WriteInPlace;

// inotify queues an event before the call that caused it returns, so no test here waits.
class FolderWatchTest : public ::testing::Test {
 protected:
  FolderEvent DrainArmed(FolderWatch& watch) {
    const FolderEvent event = watch.Drain();
    watch.Arm();
    return event;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("flags.json");
};

TEST_F(FolderWatchTest, AFinishedWriteIsReady) {
  FolderWatch watch(path_);
  watch.Arm();
  EXPECT_EQ(watch.Drain(), FolderEvent::kNone);

  WriteInPlace(path_, "{}");

  EXPECT_EQ(watch.Drain(), FolderEvent::kReady);
  EXPECT_EQ(watch.Drain(), FolderEvent::kNone);
}

TEST_F(FolderWatchTest, ARenameOverTheFileIsReadyEveryTime) {
  WriteInPlace(path_, "{}");
  FolderWatch watch(path_);
  watch.Arm();

  for (int round = 0; round < 20; ++round) {
    WriteByRename(path_, "{}");
    EXPECT_EQ(watch.Drain(), FolderEvent::kReady) << round;
  }
}

TEST_F(FolderWatchTest, AnUnfinishedWriteIsOnlyATouch) {
  FolderWatch watch(path_);
  watch.Arm();

  std::ofstream open(path_);
  open << "{" << std::flush;

  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);
  open.close();
  EXPECT_EQ(watch.Drain(), FolderEvent::kReady);
}

TEST_F(FolderWatchTest, DeletingAndMovingAwayAreTouches) {
  WriteInPlace(path_, "{}");
  FolderWatch watch(path_);
  watch.Arm();

  fs::rename(path_, folder_.File("flags.json~"));
  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);

  fs::create_hard_link(folder_.File("flags.json~"), path_);
  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);

  fs::remove(path_);
  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);
}

TEST_F(FolderWatchTest, NeighboursAreNothing) {
  FolderWatch watch(path_);
  watch.Arm();

  WriteInPlace(folder_.File("flags.json.swp"), "x");
  WriteByRename(folder_.File("other.json"), "x");
  fs::remove(folder_.File("other.json"));

  EXPECT_EQ(watch.Drain(), FolderEvent::kNone);
}

TEST_F(FolderWatchTest, TheKubernetesLinkSwapIsReady) {
  fs::create_directory(folder_.File("..v1"));
  fs::create_directory(folder_.File("..v2"));
  WriteInPlace(folder_.File("..v1/flags.json"), "{}");
  WriteInPlace(folder_.File("..v2/flags.json"), "{}");
  fs::create_directory_symlink("..v1", folder_.File("..data"));
  fs::create_symlink("..data/flags.json", path_);
  FolderWatch watch(path_);
  watch.Arm();

  fs::create_directory_symlink("..v2", folder_.File("..data_tmp"));
  fs::rename(folder_.File("..data_tmp"), folder_.File("..data"));

  EXPECT_EQ(DrainArmed(watch), FolderEvent::kReady);
  // From now on the second version's folder counts, and the first's no longer.
  WriteInPlace(folder_.File("..v1/flags.json"), "{}");
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kNone);
  WriteInPlace(folder_.File("..v2/flags.json"), "{}");
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kReady);
}

TEST_F(FolderWatchTest, ALinkIsFollowedToItsTargetsFolder) {
  const TempFolder elsewhere;
  fs::create_symlink(elsewhere.File("real.json"), folder_.File("hop.json"));
  fs::create_symlink("hop.json", path_);
  FolderWatch watch(path_);
  watch.Arm();

  WriteByRename(elsewhere.File("real.json"), "{}");
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kReady);

  fs::remove(folder_.File("hop.json"));
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kTouched);
}

TEST_F(FolderWatchTest, ALoopOfLinksEnds) {
  fs::create_symlink("b", folder_.File("a"));
  fs::create_symlink("a", folder_.File("b"));
  FolderWatch watch(folder_.File("a"));

  watch.Arm();

  EXPECT_TRUE(watch.is_armed());
}

TEST_F(FolderWatchTest, AMissingFolderIsWatchedOnceItIsThere) {
  const std::string late = folder_.File("late");
  FolderWatch watch(late + "/flags.json");
  watch.Arm();
  EXPECT_FALSE(watch.is_armed());

  fs::create_directory(late);
  watch.Arm();
  WriteInPlace(late + "/flags.json", "{}");

  EXPECT_EQ(watch.Drain(), FolderEvent::kReady);
}

TEST_F(FolderWatchTest, AReplacedFolderIsATouchAndItsSuccessorIsWatched) {
  const std::string place = folder_.File("place");
  fs::create_directory(place);
  FolderWatch watch(place + "/flags.json");
  watch.Arm();

  fs::rename(place, folder_.File("gone"));
  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);
  fs::create_directory(place);
  watch.Arm();
  EXPECT_EQ(watch.Drain(), FolderEvent::kNone);

  WriteInPlace(folder_.File("gone/flags.json"), "{}");
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kNone);
  WriteInPlace(place + "/flags.json", "{}");
  EXPECT_EQ(DrainArmed(watch), FolderEvent::kReady);
}

TEST_F(FolderWatchTest, ARemovedFolderIsATouchAndTheWatchEnds) {
  const std::string place = folder_.File("place");
  fs::create_directory(place);
  FolderWatch watch(place + "/flags.json");
  watch.Arm();

  fs::remove(place);

  EXPECT_EQ(watch.Drain(), FolderEvent::kTouched);
  EXPECT_FALSE(watch.is_armed());
}

TEST_F(FolderWatchTest, AnOverflowingQueueMeansReadAgain) {
  FolderWatch watch(path_);
  watch.Arm();
  std::size_t queue_max = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue_max;
  ASSERT_GT(queue_max, 0u);

  // Equal events in a row are merged by the kernel, so two neighbours take turns.
  const std::string names[] = {folder_.File("a"), folder_.File("b")};
  for (std::size_t event = 0; event <= queue_max; ++event) std::ofstream touch(names[event % 2]);

  EXPECT_EQ(watch.Drain(), FolderEvent::kReady);
}

}  // namespace
}  // namespace switchback
