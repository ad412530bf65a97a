#include "service/data_directory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;

class DataDirectoryTest : public ::testing::Test {
 protected:
  test::TempDir dir_;
  const std::string path_ = dir_.File("data");
};

TEST_F(DataDirectoryTest, IsMadeWithItsFirstGeneration) {
  const DataDirectory directory = Must(DataDirectory::Open(path_));

  EXPECT_EQ(directory.generation(), "gen-1");
  EXPECT_EQ(directory.log_path(), path_ + "/gen-1/log");
  EXPECT_EQ(test::ReadBytes(path_ + "/CURRENT"), "gen-1\n");
  EXPECT_EQ(test::ReadBytes(path_ + "/LOCK"), std::to_string(::getpid()) + "\n");
}

TEST_F(DataDirectoryTest, DoesNotBeginAnewBesideGenerationsWhoseCurrentIsLost) {
  Must(MakeDirectories(path_ + "/gen-1"));
  EXPECT_TRUE(IsOk(DataDirectory::Open(path_))) << "a first start that was killed";
  Must(MakeDirectories(path_ + "/gen-3/log"));
  ASSERT_EQ(::unlink((path_ + "/CURRENT").c_str()), 0);

  EXPECT_TRUE(FailsWith(DataDirectory::Open(path_), ErrorCode::kCorruption));
  Must(WriteFileAtomically(path_ + "/CURRENT", "gen-7\n"));
  EXPECT_TRUE(FailsWith(DataDirectory::Open(path_), ErrorCode::kCorruption));
  EXPECT_TRUE(IsOk(DataDirectory::OpenForRepair(path_, "gen-3")));
}

TEST_F(DataDirectoryTest, HasOneOwnerAtATime) {
  {
    const DataDirectory first = Must(DataDirectory::Open(path_));
    const auto second = DataDirectory::Open(path_);
    ASSERT_TRUE(FailsWith(second, ErrorCode::kConflict));
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_TRUE(IsOk(DataDirectory::Open(path_)));
}

TEST_F(DataDirectoryTest, FollowsCurrentAndRefusesNonsense) {
  (void)Must(DataDirectory::Open(path_));
  Must(MakeDirectories(path_ + "/gen-7"));
  test::WriteBytes(path_ + "/CURRENT", "gen-7\n");
  EXPECT_EQ(Must(DataDirectory::Open(path_)).generation(), "gen-7");
  for (const char* bad : {"", "\n", "x", "gen-1/../..", "../gen-1"}) {
    test::WriteBytes(path_ + "/CURRENT", bad);
    EXPECT_TRUE(FailsWith(DataDirectory::Open(path_), ErrorCode::kCorruption)) << bad;
  }
}

TEST_F(DataDirectoryTest, NoPathIsAnError) {
  EXPECT_TRUE(FailsWith(DataDirectory::Open(""), ErrorCode::kInvalidArgument));
}

TEST_F(DataDirectoryTest, StoresAreInsideUnlessAskedOtherwise) {
  const DataDirectory directory = Must(DataDirectory::Open(path_));
  const StorePaths inside = Must(directory.ResolveStores({}));
  EXPECT_EQ(inside.legacy, path_ + "/gen-1/legacy");
  EXPECT_EQ(inside.unified, path_ + "/gen-1/unified.sqlite");
  const StorePaths asked = Must(directory.ResolveStores({dir_.File("env"), ""}));
  EXPECT_EQ(asked.legacy, dir_.File("env"));
  EXPECT_EQ(asked.unified, inside.unified);
}

TEST_F(DataDirectoryTest, StoresAreRememberedAndOthersRefused) {
  {
    DataDirectory directory = Must(DataDirectory::Open(path_));
    const StorePaths paths{dir_.File("env"), dir_.File("u.sqlite")};
    Must(directory.RememberStores(paths));
    Must(directory.RememberStores({"other", "paths"}));  // changes nothing
  }
  const DataDirectory directory = Must(DataDirectory::Open(path_));
  EXPECT_EQ(Must(directory.ResolveStores({})).legacy, dir_.File("env"));
  EXPECT_EQ(Must(directory.ResolveStores({dir_.File("env"), ""})).unified, dir_.File("u.sqlite"));
  EXPECT_TRUE(FailsWith(directory.ResolveStores({dir_.File("env2"), ""}), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(directory.ResolveStores({"", dir_.File("x")}), ErrorCode::kRefused));
  test::WriteBytes(path_ + "/gen-1/stores.json", "{\"legacy\": 7}");
  EXPECT_TRUE(FailsWith(directory.ResolveStores({}), ErrorCode::kCorruption));
}

TEST_F(DataDirectoryTest, StoresInsideMoveWithTheDirectory) {
  {
    DataDirectory directory = Must(DataDirectory::Open(path_));
    Must(directory.RememberStores({dir_.File("env"), path_ + "/gen-1/unified.sqlite",
                                   false, {path_ + "/gen-1/legacy"}}));
  }
  const std::string elsewhere = dir_.File("elsewhere");
  std::filesystem::rename(path_, elsewhere);

  const DataDirectory directory = Must(DataDirectory::Open(elsewhere));
  const StorePaths paths = Must(directory.ResolveStores({}));

  EXPECT_EQ(paths.legacy, dir_.File("env"));
  EXPECT_EQ(paths.unified, elsewhere + "/gen-1/unified.sqlite");
  EXPECT_EQ(paths.kept, std::vector<std::string>{elsewhere + "/gen-1/legacy"});
}

TEST_F(DataDirectoryTest, OnlyWhatNobodyMayWantBackIsUnused) {
  auto directory = Must(DataDirectory::Open(path_));
  for (const char* name : {"gen-2", "gen-3", "gen-4", "gen-5"})
    std::filesystem::create_directories(path_ + "/" + name);
  std::filesystem::create_directories(path_ + "/backups");
  const StorePaths before{path_ + "/gen-3/legacy", path_ + "/gen-3/unified.sqlite"};
  Must(directory.WriteStoresOf("gen-2", before));
  StorePaths now{path_ + "/gen-1/legacy", path_ + "/gen-1/unified.sqlite"};
  now.previous = "gen-2";
  now.kept = {path_ + "/gen-4/legacy"};
  Must(directory.WriteStoresOf("gen-1", now));

  EXPECT_EQ(Must(directory.UnusedGenerations()), std::vector<std::string>{"gen-5"});
}

TEST_F(DataDirectoryTest, ADetachedDirectoryIsSpent) {
  {
    DataDirectory directory = Must(DataDirectory::Open(path_));
    Must(directory.MarkDetached());
  }
  EXPECT_TRUE(FailsWith(DataDirectory::Open(path_), ErrorCode::kRefused));
}

}  // namespace
}  // namespace switchback
