#include "rollback/rescue_log.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "service/commit_log.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::Must;

constexpr std::uint64_t kBatchCount = 40;
constexpr std::size_t kPayloadBytes = 1000;

class RescueLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log =
        Must(CommitLog::Open({.directory = path_, .file_bytes = 16384, .make_spares = false}));
    for (std::uint64_t i = 0; i < kBatchCount; ++i)
      Must(log->Append(std::string(kPayloadBytes, 'p'), ""));
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  static void Spoil(const std::string& path, std::streamoff offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.put('!');
  }
  RescueLog Read() {
    read_.clear();
    return Must(ReadRescueLog(path_, [&](const LogRecord& record) -> Status {
      read_.push_back(record.sequence);
      return {};
    }));
  }

  test::TempDir dir_;
  const std::string path_ = dir_.File("log");
  std::vector<std::uint64_t> read_;
};

TEST_F(RescueLogTest, IsReadWhole) {
  const RescueLog log = Read();

  EXPECT_TRUE(log.is_intact());
  EXPECT_TRUE(log.is_end_known);
  EXPECT_EQ(log.last_seen, kBatchCount);
  ASSERT_EQ(log.ranges.size(), 1u);
  EXPECT_EQ(read_.size(), kBatchCount);
  EXPECT_EQ(log.EndFrom(0), kBatchCount);
  EXPECT_EQ(log.EndFrom(kBatchCount), kBatchCount);
}

TEST_F(RescueLogTest, GoesOnPastADamagedBatch) {
  Spoil(Files().front(), static_cast<std::streamoff>(kLogFileHeaderBytes + kPayloadBytes + 500));

  const RescueLog log = Read();

  EXPECT_NE(log.problem.find("batch 2 is damaged"), std::string::npos) << log.problem;
  ASSERT_EQ(log.ranges.size(), 2u);
  EXPECT_EQ(log.EndFrom(0), 1u);
  EXPECT_EQ(log.EndFrom(1), 1u) << "batch 2 cannot be applied";
  EXPECT_EQ(log.EndFrom(2), kBatchCount);
  EXPECT_EQ(log.last_seen, kBatchCount);
}

TEST_F(RescueLogTest, KnowsWhatAFileThatIsGoneHeld) {
  ASSERT_GT(Files().size(), 2u);
  std::filesystem::remove(Files()[1]);

  const RescueLog log = Read();

  EXPECT_FALSE(log.is_intact());
  EXPECT_EQ(log.ranges.size(), 2u);
  EXPECT_EQ(log.last_seen, kBatchCount);
}

TEST_F(RescueLogTest, DoesNotKnowItsEndWithoutItsNewestHeader) {
  Spoil(Files().back(), 20);

  const RescueLog log = Read();

  EXPECT_FALSE(log.is_intact());
  EXPECT_FALSE(log.is_end_known);
}

TEST_F(RescueLogTest, TakesATornTailForNone) {
  const std::string newest = Files().back();
  const auto ranges = Read().ranges;
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);

  EXPECT_TRUE(Read().is_intact());
  EXPECT_EQ(ranges.size(), 1u);
}

TEST_F(RescueLogTest, ThatIsNotThereHasNoBatches) {
  const RescueLog log =
      Must(ReadRescueLog(dir_.File("none"), [](const LogRecord&) { return Status{}; }));

  EXPECT_FALSE(log.is_there);
  EXPECT_FALSE(log.is_intact());
}

TEST_F(RescueLogTest, MayBeginAnewAfterAnyBatch) {
  const std::string fresh = dir_.File("fresh");
  const std::string id = Must(CommitLog::Begin(fresh, Read().log_id, 7, 1000));

  auto log = Must(CommitLog::Open({.directory = fresh, .make_spares = false}));
  Must(log->Append("first", ""));

  EXPECT_EQ(log->log_id(), id);
  EXPECT_EQ(log->epoch(), 7u);
  EXPECT_EQ(log->last_sequence(), 1000u);
}

}  // namespace
}  // namespace switchback
