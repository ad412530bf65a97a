#include "common/remove_tree.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargeBytes = 5'000'001;

void Write(const std::string& path, std::size_t bytes) {
  std::ofstream(path, std::ios::binary) << std::string(bytes, 'x');
}

TEST(RemoveTree, RemovesWhatIsBeneath) {
  const test::TempDir dir;
  fs::create_directories(dir.File("tree/deeper"));
  Write(dir.File("tree/large"), kLargeBytes);
  Write(dir.File("tree/deeper/large"), kLargeBytes);
  Write(dir.File("tree/deeper/small"), 3);

  EXPECT_TRUE(RemoveTree(dir.File("tree")));
  EXPECT_FALSE(fs::exists(dir.File("tree")));
}

TEST(RemoveTree, RemovesOneFile) {
  const test::TempDir dir;
  Write(dir.File("large"), kLargeBytes);

  EXPECT_TRUE(RemoveTree(dir.File("large")));
  EXPECT_FALSE(fs::exists(dir.File("large")));
}

TEST(RemoveTree, NothingThereIsNoError) {
  const test::TempDir dir;
  EXPECT_TRUE(RemoveTree(dir.File("nothing")));
}

TEST(RemoveTree, LeavesWhatHasAnotherNameAsItIs) {
  const test::TempDir dir;
  fs::create_directories(dir.File("tree"));
  Write(dir.File("tree/large"), kLargeBytes);
  fs::create_hard_link(dir.File("tree/large"), dir.File("other"));

  EXPECT_TRUE(RemoveTree(dir.File("tree")));
  EXPECT_EQ(fs::file_size(dir.File("other")), kLargeBytes);
}

TEST(RemoveTree, FollowsNoSymbolicLink) {
  const test::TempDir dir;
  fs::create_directories(dir.File("elsewhere"));
  Write(dir.File("elsewhere/large"), kLargeBytes);
  fs::create_directories(dir.File("tree"));
  fs::create_symlink(dir.File("elsewhere/large"), dir.File("tree/file"));
  fs::create_directory_symlink(dir.File("elsewhere"), dir.File("tree/directory"));

  EXPECT_TRUE(RemoveTree(dir.File("tree")));
  EXPECT_FALSE(fs::exists(fs::symlink_status(dir.File("tree"))));
  EXPECT_EQ(fs::file_size(dir.File("elsewhere/large")), kLargeBytes);
}

}  // namespace
}  // namespace switchback
