#include "flags/file_state.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using testing_flags::TempFolder;
using testing_flags::WriteByRename;
using testing_flags::WriteInPlace;

TEST(FileState, ReadsContentAndStateThatBelongTogether) {
  const TempFolder folder;
  WriteInPlace(folder.File("f"), "text");

  const auto file = ReadFileContent(folder.File("f"), 100);

  ASSERT_TRUE(file);
  EXPECT_EQ(file->text, "text");
  EXPECT_EQ(file->state.bytes, 4);
  EXPECT_EQ(file->state, StatFile(folder.File("f")).value());
}

TEST(FileState, AReplacedFileHasAnotherState) {
  const TempFolder folder;
  WriteInPlace(folder.File("f"), "text");
  const auto before = StatFile(folder.File("f"));

  WriteByRename(folder.File("f"), "text");

  EXPECT_FALSE(before.value() == StatFile(folder.File("f")).value());
}

TEST(FileState, AWriterThatSetsTheTimeBackIsSeenByCtime) {
  const TempFolder folder;
  WriteInPlace(folder.File("f"), "text");
  fs::last_write_time(folder.File("f"), fs::file_time_type{});
  const auto before = StatFile(folder.File("f")).value();

  // Another owner of the same content would do; a change of mode is what always moves ctime.
  FileState after = before;
  for (int round = 0; round < 10'000'000 && after == before; ++round) {
    fs::permissions(folder.File("f"), round % 2 == 0 ? fs::perms(0600) : fs::perms(0640));
    after = StatFile(folder.File("f")).value();
  }

  EXPECT_EQ(after.mtime_ns, before.mtime_ns);
  EXPECT_NE(after.ctime_ns, before.ctime_ns);
}

TEST(FileState, SaysWhatIsWrong) {
  const TempFolder folder;
  WriteInPlace(folder.File("big"), "12345");
  ASSERT_EQ(::mkfifo(folder.File("pipe").c_str(), 0600), 0);

  EXPECT_EQ(StatFile(folder.File("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFileContent(folder.File("none"), 10).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFileContent(folder.File("big"), 4).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(ReadFileContent(folder.File("big"), 5));
  EXPECT_EQ(ReadFileContent(folder.path(), 10).error().code, ErrorCode::kInvalidArgument);
  // And without blocking for a writer.
  EXPECT_EQ(ReadFileContent(folder.File("pipe"), 10).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace switchback
