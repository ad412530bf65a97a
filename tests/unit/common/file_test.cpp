#include "common/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;

class FileTest : public ::testing::Test {
 protected:
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }
  static bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

  test::TempDir dir_;
};

TEST_F(FileTest, ADescriptorHasOneOwner) {
  UniqueFd first = Must(OpenFile(dir_.File("f"), O_RDWR | O_CREAT));
  const int fd = first.get();
  EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.get(), fd);
  UniqueFd third;
  third = std::move(second);
  EXPECT_TRUE(IsOpen(fd));
  UniqueFd* same = &third;
  third = std::move(*same);
  EXPECT_TRUE(third.is_open());
  third.Close();
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_FALSE(third.is_open());
}

TEST_F(FileTest, AMissingFileIsNotFoundAndNamed) {
  const auto opened = OpenFile(dir_.File("none"), O_RDONLY);
  ASSERT_TRUE(FailsWith(opened, ErrorCode::kNotFound));
  EXPECT_NE(opened.error().message.find("none"), std::string::npos);
  EXPECT_TRUE(FailsWith(ReadWholeFile(dir_.File("none"), 10), ErrorCode::kNotFound));
}

TEST_F(FileTest, WritesAndReadsAtAnyOffset) {
  const UniqueFd fd = Must(OpenFile(dir_.File("f"), O_RDWR | O_CREAT));
  Must(WriteAt(fd.get(), "world", 6));
  Must(WriteAt(fd.get(), "hello ", 0));
  char buffer[32];

  EXPECT_EQ(Must(ReadAt(fd.get(), buffer, sizeof buffer, 0)), 11u);
  EXPECT_EQ(std::string_view(buffer, 11), "hello world");
  EXPECT_EQ(Must(ReadAt(fd.get(), buffer, 3, 8)), 3u);
  EXPECT_EQ(std::string_view(buffer, 3), "rld");
  EXPECT_EQ(Must(ReadAt(fd.get(), buffer, 3, 100)), 0u);
}

TEST_F(FileTest, ErrorsOfReadAndWriteAreReported) {
  const UniqueFd fd = Must(OpenFile(dir_.File("f"), O_WRONLY | O_CREAT));
  char buffer[4];
  EXPECT_TRUE(FailsWith(ReadAt(fd.get(), buffer, 4, 0), ErrorCode::kIo));
  const UniqueFd full = Must(OpenFile("/dev/full", O_WRONLY));
  EXPECT_TRUE(FailsWith(WriteAt(full.get(), "x", 0), ErrorCode::kNoSpace));
}

TEST_F(FileTest, ReadsWholeFilesUpToALimit) {
  const std::string content(200000, 'c');
  test::WriteBytes(dir_.File("f"), content);
  EXPECT_EQ(Must(ReadWholeFile(dir_.File("f"), content.size())), content);
  EXPECT_TRUE(FailsWith(ReadWholeFile(dir_.File("f"), content.size() - 1), ErrorCode::kTooLarge));
}

TEST_F(FileTest, ReplacesAFileAndLeavesNoTemporary) {
  const std::string path = dir_.File("f");
  Must(WriteFileAtomically(path, "first and longer"));
  Must(WriteFileAtomically(path, "second"));

  EXPECT_EQ(test::ReadBytes(path), "second");
  EXPECT_EQ(ModeOf(path), 0600u);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  EXPECT_FALSE(WriteFileAtomically(dir_.File("no/such/dir"), "x"));
}

TEST_F(FileTest, AReplacementThatFailsKeepsTheOldFile) {
  const std::string path = dir_.File("f");
  Must(WriteFileAtomically(path, "old"));
  std::filesystem::create_directories(path + ".tmp/x");  // no temporary can be made
  EXPECT_FALSE(WriteFileAtomically(path, "new"));
  EXPECT_EQ(test::ReadBytes(path), "old");
}

TEST_F(FileTest, MakesMissingParentsForItsOwnerOnly) {
  Must(MakeDirectories(dir_.File("a/b/c")));
  Must(MakeDirectories(dir_.File("a/b/c")));
  EXPECT_EQ(ModeOf(dir_.File("a")), 0700u);
  EXPECT_EQ(ModeOf(dir_.File("a/b/c")), 0700u);
  test::WriteBytes(dir_.File("file"), "");
  EXPECT_TRUE(FailsWith(MakeDirectories(dir_.File("file")), ErrorCode::kIo));
  EXPECT_FALSE(MakeDirectories(dir_.File("file/below")));
}

TEST_F(FileTest, SyncsDirectories) {
  EXPECT_TRUE(IsOk(SyncDirectory(dir_.path())));
  EXPECT_TRUE(FailsWith(SyncDirectory(dir_.File("none")), ErrorCode::kNotFound));
}

TEST(ParentDirectory, IsWhatTheShellSays) {
  EXPECT_EQ(ParentDirectory("/a/b"), "/a");
  EXPECT_EQ(ParentDirectory("/a/b/"), "/a");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("/"), "/");
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory("a/b"), "a");
  EXPECT_EQ(ParentDirectory(""), ".");
}

}  // namespace
}  // namespace switchback
