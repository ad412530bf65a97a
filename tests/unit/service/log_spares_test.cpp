#include "service/log_spares.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <thread>

#include "common/limits.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

constexpr std::uint64_t kBytes = 64 << 10;

class LogSparesTest : public ::testing::Test {
 protected:
  // Its thread makes one in its own time.
  static std::string WaitAndTake(LogSpares& spares) {
    std::string path;
    while ((path = spares.Take()).empty()) std::this_thread::yield();
    return path;
  }
  std::string OldFile(const std::string& name, std::uint64_t bytes = kBytes) {
    test::WriteBytes(dir_.File(name), std::string(bytes, 'o'));
    return dir_.File(name);
  }
  [[nodiscard]] std::size_t FileCount() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir_.path()))
      ++count;
    return count;
  }

  test::TempDir dir_;
};

TEST_F(LogSparesTest, HandsOutFullSizeZeroedFilesEachOnce) {
  LogSpares spares(dir_.path(), kBytes);
  std::set<std::string> taken;
  for (int i = 0; i < 4; ++i) {
    const std::string path = WaitAndTake(spares);
    EXPECT_TRUE(taken.insert(path).second);
    EXPECT_EQ(test::ReadBytes(path), std::string(kBytes, '\0'));
  }
}

TEST_F(LogSparesTest, TakesOldFilesBackUpToALimit) {
  LogSpares spares(dir_.path(), kBytes);
  for (int i = 0; i < 6; ++i) spares.Recycle(OldFile("log-" + std::to_string(i)));

  for (int i = 0; i < 6; ++i)
    EXPECT_FALSE(std::filesystem::exists(dir_.File("log-" + std::to_string(i))));
  EXPECT_LE(FileCount(), kLogSpareFileCountMax + 1) << "one may be in the making";
  EXPECT_EQ(std::filesystem::file_size(WaitAndTake(spares)), kBytes);
}

TEST_F(LogSparesTest, AFileOfAnotherSizeIsDeleted) {
  LogSpares spares(dir_.path(), kBytes);
  spares.Recycle(OldFile("log-short", kBytes - 1));
  spares.Recycle(dir_.File("log-none"));

  EXPECT_FALSE(std::filesystem::exists(dir_.File("log-short")));
  EXPECT_EQ(std::filesystem::file_size(WaitAndTake(spares)), kBytes);
}

TEST_F(LogSparesTest, UsesWholeSparesOfAnEarlierRunAndDeletesTheRest) {
  OldFile("spare-7");
  OldFile("spare-3", 10);
  OldFile("spare-9.tmp");
  OldFile("other");

  LogSpares spares(dir_.path(), kBytes);
  const std::string path = WaitAndTake(spares);

  EXPECT_EQ(path, dir_.File("spare-7"));
  EXPECT_FALSE(std::filesystem::exists(dir_.File("spare-3")));
  EXPECT_TRUE(std::filesystem::exists(dir_.File("other")));
  EXPECT_NE(WaitAndTake(spares), path) << "numbers go on";
}

TEST_F(LogSparesTest, StopsWhileItCannotWrite) {
  std::filesystem::remove_all(dir_.path());
  LogSpares spares(dir_.path(), kBytes);
  EXPECT_EQ(spares.Take(), "");
}

}  // namespace
}  // namespace switchback
