#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "server/bench/data_directory.hpp"
#include "server/bench/options.hpp"

namespace switchback::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BenchOptions, DurationsHaveUnits) {
  EXPECT_EQ(ParseDuration("10s").value(), seconds(10));
  EXPECT_EQ(ParseDuration("300ms").value(), milliseconds(300));
  EXPECT_EQ(ParseDuration("5m").value(), seconds(300));
  EXPECT_EQ(ParseDuration("2.5").value(), milliseconds(2500));
  EXPECT_EQ(ParseDuration("0s").value(), seconds(0));
}

TEST(BenchOptions, RefusesDurationsThatAreNone) {
  for (const char* text : {"", "s", "10h", "-1s", "nan", "1e99", "10 s", "999999s"})
    EXPECT_FALSE(ParseDuration(text)) << text;
}

TEST(BenchOptions, DurationsAreWrittenAsTheyAreRead) {
  for (const char* text : {"10s", "300ms", "2.5s", "300s"})
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
}

TEST(BenchOptions, TargetsKeepTheirOrderAndKind) {
  const auto targets = ParseTargets("legacy,unified,12.5%,lmdb,sqlite,lmdb+sqlite").value();

  ASSERT_EQ(targets.size(), 6U);
  EXPECT_EQ(targets[0].kind, TargetKind::kService);
  EXPECT_DOUBLE_EQ(targets[0].percentage, 0);
  EXPECT_DOUBLE_EQ(targets[1].percentage, 100);
  EXPECT_DOUBLE_EQ(targets[2].percentage, 12.5);
  EXPECT_EQ(targets[2].text, "12.5%");
  EXPECT_FALSE(targets[2].is_bare());
  EXPECT_EQ(targets[3].kind, TargetKind::kLmdb);
  EXPECT_EQ(targets[4].kind, TargetKind::kSqlite);
  EXPECT_EQ(targets[5].kind, TargetKind::kPaired);
  EXPECT_TRUE(targets[5].is_bare());
}

TEST(BenchOptions, RefusesTargetsThatAreNone) {
  for (const char* text : {"", ",", "redis", "25", "101%", "-1%", "lmdb,lmdb"})
    EXPECT_FALSE(ParseTargets(text)) << text;
}

TEST(BenchOptions, DistributionsAreAList) {
  EXPECT_EQ(ParseDistributions("zipfian,uniform").value(),
            (std::vector{Distribution::kZipfian, Distribution::kUniform}));
  EXPECT_FALSE(ParseDistributions(""));
  EXPECT_FALSE(ParseDistributions("zipfian,gaussian"));
}

TEST(BenchOptions, TheReportSaysARateOnlyWhenThereIsOne) {
  BenchOptions options;
  const auto closed = DescribeOptions(options);
  options.load.rate = 5000;
  const auto open = DescribeOptions(options);

  EXPECT_EQ(open.size(), closed.size() + 1);
  EXPECT_EQ(open.back(), (std::pair<std::string, std::string>("rate", "5,000/s")));
}

TEST(BenchOptions, BareSqliteGetsThePagesThatSuitItsValues) {
  BenchOptions options;
  options.load.value_bytes = 100;
  EXPECT_EQ(options.BareTuning().page_bytes, 4096);
  options.load.value_bytes = 1024;
  EXPECT_EQ(options.BareTuning().page_bytes, 8192);
  options.sqlite_page_bytes = 16384;
  EXPECT_EQ(options.BareTuning().page_bytes, 16384);
}

TEST(BenchDataDirectory, IsPrivateAndGoneAtTheEnd) {
  std::string path;
  {
    const auto directory = DataDirectory::Create(testing::TempDir());
    ASSERT_TRUE(directory) << directory.error().message;
    path = directory->path();
    std::ofstream(directory->Below("file")) << "content";
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(BenchDataDirectory, ClearKeepsTheDirectoryItself) {
  auto directory = DataDirectory::Create(testing::TempDir()).value();
  std::filesystem::create_directories(directory.Below("a/b"));

  directory.Clear();

  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(BenchDataDirectory, SaysWhereItCouldNotBeMade) {
  const auto directory = DataDirectory::Create("/nonexistent");

  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kNotFound);
  EXPECT_NE(directory.error().message.find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace switchback::bench
