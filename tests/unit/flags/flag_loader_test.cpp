#include "flags/flag_loader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/file.hpp"
#include "tests/unit/flags/flag_test_util.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using testing_flags::FileWith;
using testing_flags::TempFolder;
using testing_flags::WriteByRename;
using testing_flags::WriteInPlace;

class FlagLoaderTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::shared_ptr<const FlagSnapshot> Now() const { return store_.Current(); }
  [[nodiscard]] bool IsOn() const { return Now()->unified().Decide("a"); }
  [[nodiscard]] bool WarningHas(std::string_view text) const {
    return Now()->warning.find(text) != std::string::npos;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("flags.json");
  FlagStore store_;
  std::vector<std::shared_ptr<const FlagSnapshot>> published_;
  FlagLoader loader_{path_, store_, [this](std::shared_ptr<const FlagSnapshot> snapshot) {
                       published_.push_back(std::move(snapshot));
                     }};
};

TEST_F(FlagLoaderTest, AFileThatIsNotThereYetIsLegacyAndSaidSo) {
  const Status status = loader_.Load();

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(IsOn());
  EXPECT_FALSE(Now()->is_from_file);
  EXPECT_EQ(Now()->revision, 0u);
  EXPECT_TRUE(WarningHas("no valid flags so far"));
  EXPECT_EQ(loader_.reload_failures(), 0u);
}

TEST_F(FlagLoaderTest, PublishesValidContentWithARevisionAndAHash) {
  WriteInPlace(path_, FileWith("true"));

  ASSERT_TRUE(loader_.Load());

  EXPECT_TRUE(IsOn());
  EXPECT_TRUE(Now()->is_from_file);
  EXPECT_EQ(Now()->revision, 1u);
  EXPECT_EQ(Now()->load_count, 1u);
  EXPECT_EQ(Now()->content_hash.size(), 16u);
  EXPECT_EQ(Now()->warning, "");
  ASSERT_EQ(published_.size(), 1u);
  EXPECT_EQ(published_[0], Now());
}

TEST_F(FlagLoaderTest, TheRevisionGrowsWithContentAndTheLoadCountWithReads) {
  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());
  const std::string hash = Now()->content_hash;

  WriteByRename(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());
  EXPECT_EQ(Now()->revision, 1u);
  EXPECT_EQ(Now()->load_count, 2u);
  EXPECT_EQ(Now()->content_hash, hash);
  EXPECT_EQ(published_.size(), 2u);

  WriteByRename(path_, FileWith("false"));
  ASSERT_TRUE(loader_.Load());
  EXPECT_EQ(Now()->revision, 2u);
  EXPECT_NE(Now()->content_hash, hash);
}

TEST_F(FlagLoaderTest, BrokenContentKeepsTheLastGoodFlagsAndWarns) {
  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());

  for (const char* broken : {"", "{", "[]", "{\"USE_UNIFIED_DB_SERVICE\": \"off\"}",
                             "{\"flags\": {\"USE_UNIFIED_DB_SERVICE\": {\"state\": \"ON\"}}}",
                             "{\"USE_UNIFIED_DB_SERVICE\": fals"}) {
    const auto failures = loader_.reload_failures();
    WriteInPlace(path_, broken);
    EXPECT_FALSE(loader_.Load()) << broken;
    EXPECT_TRUE(IsOn()) << broken;
    EXPECT_EQ(Now()->revision, 1u) << broken;
    EXPECT_TRUE(Now()->is_from_file) << broken;
    EXPECT_TRUE(WarningHas("keeping the flags of revision 1")) << Now()->warning;
    EXPECT_TRUE(WarningHas(path_)) << Now()->warning;
    EXPECT_EQ(loader_.reload_failures(), failures + 1) << broken;
  }
}

TEST_F(FlagLoaderTest, TheSameBrokenContentIsOneFailureAndStillALoad) {
  WriteInPlace(path_, "{");

  EXPECT_FALSE(loader_.Load());
  EXPECT_FALSE(loader_.Load());

  EXPECT_EQ(loader_.reload_failures(), 1u);
  EXPECT_EQ(Now()->load_count, 2u);
  EXPECT_EQ(published_.size(), 2u);
}

TEST_F(FlagLoaderTest, TheWarningGoesWhenTheGoodContentIsBack) {
  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());
  WriteInPlace(path_, "{");
  ASSERT_FALSE(loader_.Load());

  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());

  EXPECT_EQ(Now()->warning, "");
  EXPECT_EQ(Now()->revision, 1u);
}

TEST_F(FlagLoaderTest, ADeletedFileIsNeverAnEmptyOne) {
  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());

  fs::remove(path_);
  EXPECT_EQ(loader_.Load().error().code, ErrorCode::kNotFound);
  loader_.Check();
  loader_.Check();

  EXPECT_TRUE(IsOn());
  EXPECT_TRUE(WarningHas("keeping the flags of revision 1"));
  EXPECT_EQ(published_.size(), 2u);  // the loss is told once
  EXPECT_EQ(loader_.reload_failures(), 0u);

  WriteInPlace(path_, FileWith("true"));
  loader_.Check();
  EXPECT_EQ(Now()->warning, "");
}

TEST_F(FlagLoaderTest, AFileWithoutFlagsIsValidAndLegacy) {
  WriteInPlace(path_, FileWith("true"));
  ASSERT_TRUE(loader_.Load());

  WriteInPlace(path_, "{}");
  ASSERT_TRUE(loader_.Load());

  EXPECT_FALSE(IsOn());
  EXPECT_EQ(Now()->revision, 2u);
}

TEST_F(FlagLoaderTest, CheckFindsAReplacedFile) {
  loader_.Check();
  WriteInPlace(path_, FileWith("true"));
  loader_.Check();
  EXPECT_TRUE(IsOn());

  WriteByRename(path_, FileWith("false"));
  loader_.Check();
  EXPECT_FALSE(IsOn());
}

TEST_F(FlagLoaderTest, CheckPublishesNothingWhileNothingChanges) {
  WriteInPlace(path_, FileWith("true"));
  for (int second = 0; second < 10; ++second) loader_.Check();

  EXPECT_EQ(published_.size(), 1u);
  EXPECT_EQ(Now()->load_count, 1u);
}

// What two changes within one tick of a file system's clock look like, made for certain: a store
// through a mapping whose page is dirty already moves neither size nor times.
TEST_F(FlagLoaderTest, CheckFindsASecondChangeThatLeftTheTimesAsTheyWere) {
  WriteInPlace(path_, FileWith("true "));
  const auto fd = OpenFile(path_, O_RDWR);
  ASSERT_TRUE(fd);
  const std::string changed = FileWith("false");
  void* memory = ::mmap(nullptr, changed.size(), PROT_WRITE, MAP_SHARED, fd->get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  static_cast<char*>(memory)[0] = '{';
  ASSERT_TRUE(loader_.Load());
  ASSERT_TRUE(IsOn());

  std::memcpy(memory, changed.data(), changed.size());
  loader_.Check();

  EXPECT_FALSE(IsOn());
  ::munmap(memory, changed.size());
}

TEST_F(FlagLoaderTest, WhatCannotBeReadIsTriedAgainByEveryCheck) {
  fs::create_directory(path_);

  loader_.Check();
  loader_.Check();
  EXPECT_TRUE(WarningHas("not a regular file"));
  EXPECT_EQ(loader_.reload_failures(), 1u);

  fs::remove(path_);
  WriteInPlace(path_, FileWith("true"));
  loader_.Check();
  EXPECT_TRUE(IsOn());
  EXPECT_EQ(Now()->warning, "");
}

TEST_F(FlagLoaderTest, ATooLargeFileIsRefused) {
  WriteInPlace(path_, FileWith("true") + std::string(kFlagFileBytesMax, ' '));

  const Status status = loader_.Load();

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(loader_.reload_failures(), 1u);
}

TEST_F(FlagLoaderTest, FollowsTheKubernetesLinkSwap) {
  fs::create_directory(folder_.File("..v1"));
  fs::create_directory(folder_.File("..v2"));
  WriteInPlace(folder_.File("..v1/flags.json"), FileWith("true"));
  WriteInPlace(folder_.File("..v2/flags.json"), FileWith("false"));
  fs::create_directory_symlink("..v1", folder_.File("..data"));
  fs::create_symlink("..data/flags.json", path_);
  ASSERT_TRUE(loader_.Load());
  ASSERT_TRUE(IsOn());

  fs::create_directory_symlink("..v2", folder_.File("..data_tmp"));
  fs::rename(folder_.File("..data_tmp"), folder_.File("..data"));
  loader_.Check();

  EXPECT_FALSE(IsOn());
  EXPECT_EQ(Now()->revision, 2u);
}

}  // namespace
}  // namespace switchback
