#include "server/transfer/output_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/server/http/scratch_folder.hpp"

namespace switchback {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Content() const {
    const auto content = ReadWholeFile(path_, 1u << 20);
    return content ? *content : "none";
  }

  ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/out";
};

TEST_F(OutputFileTest, IsThereOnlyOnceItIsCommitted) {
  auto file = OutputFile::Open(path_, false);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->Write("abc").has_value());
  EXPECT_EQ(Content(), "none");

  ASSERT_TRUE(file->Commit().has_value());

  EXPECT_EQ(Content(), "abc");
  EXPECT_EQ(file->bytes(), 3u);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
}

TEST_F(OutputFileTest, LeavesNothingBehindWithoutACommit) {
  {
    auto file = OutputFile::Open(path_, false);
    ASSERT_TRUE(file->Write(std::string(2u << 20, 'x')).has_value());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(OutputFileTest, ReplacesOnlyWhenAsked) {
  ASSERT_TRUE(WriteFileAtomically(path_, "mine").has_value());

  EXPECT_EQ(OutputFile::Open(path_, false).error().code, ErrorCode::kRefused);
  EXPECT_TRUE(OutputFile::Open(path_, true)->Commit().has_value());
  EXPECT_EQ(Content(), "");
}

TEST_F(OutputFileTest, DoesNotReplaceWhatCameMeanwhile) {
  auto file = OutputFile::Open(path_, false);
  ASSERT_TRUE(WriteFileAtomically(path_ + "2", "theirs").has_value());
  std::filesystem::rename(path_ + "2", path_);

  EXPECT_EQ(file->Commit().error().code, ErrorCode::kRefused);
  EXPECT_EQ(Content(), "theirs");
}

TEST_F(OutputFileTest, OneAtATime) {
  auto first = OutputFile::Open(path_, true);
  EXPECT_EQ(OutputFile::Open(path_, true).error().code, ErrorCode::kConflict);
}

TEST_F(OutputFileTest, WhatAKilledProcessHasLeftDoesNotCount) {
  ASSERT_TRUE(WriteFileAtomically(path_ + ".tmp", "leftover").has_value());

  auto file = OutputFile::Open(path_, false);
  ASSERT_TRUE(file->Write("new").has_value());
  ASSERT_TRUE(file->Commit().has_value());

  EXPECT_EQ(Content(), "new");
}

}  // namespace
}  // namespace switchback
