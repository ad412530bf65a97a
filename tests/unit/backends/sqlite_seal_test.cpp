#include "backends/sqlite_seal.hpp"

#include <gtest/gtest.h>

#include "common/file.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

class SqliteSeal : public testing::Test {
 protected:
  void SetUp() override { Write("content"); }
  void Write(const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(path_, content).has_value());
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.File("db.sqlite");
};

TEST_F(SqliteSeal, IsAbsentUntilWritten) {
  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kNone);
  EXPECT_TRUE(RemoveSqliteSeal(path_).has_value());
}

TEST_F(SqliteSeal, HoldsWhileTheFileIsAsItWas) {
  ASSERT_TRUE(WriteSqliteSeal(path_).has_value());

  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kIntact);
  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kIntact);
  ASSERT_TRUE(RemoveSqliteSeal(path_).has_value());
  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kNone);
}

TEST_F(SqliteSeal, BreaksWhenTheFileChanges) {
  ASSERT_TRUE(WriteSqliteSeal(path_).has_value());

  Write("content of another length");

  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kForeign);
}

TEST_F(SqliteSeal, BreaksWhenTheFileIsRewrittenAtTheSameLength) {
  ASSERT_TRUE(WriteSqliteSeal(path_).has_value());

  std::filesystem::last_write_time(
      path_, std::filesystem::last_write_time(path_) + std::chrono::microseconds(1));

  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kForeign);
}

TEST_F(SqliteSeal, BreaksWhenAWriteAheadLogAppears) {
  ASSERT_TRUE(WriteSqliteSeal(path_).has_value());

  ASSERT_TRUE(WriteFileAtomically(path_ + "-wal", "frames").has_value());

  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kForeign);
}

TEST_F(SqliteSeal, RemembersAForeignCommit) {
  ASSERT_TRUE(WriteForeignSqliteSeal(path_).has_value());

  EXPECT_EQ(CheckSqliteSeal(path_), SealVerdict::kForeign);
}

TEST_F(SqliteSeal, NeedsAFile) {
  EXPECT_FALSE(WriteSqliteSeal(directory_.File("absent")).has_value());
}

}  // namespace
}  // namespace switchback
