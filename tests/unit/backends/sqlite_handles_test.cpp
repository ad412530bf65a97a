#include "backends/sqlite_handles.hpp"

#include <gtest/gtest.h>

#include "common/file.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

class SqliteHandles : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = directory_.File("db.sqlite");
    writer_ = Checked(OpenSqliteWriter(options_));
    reader_ = Checked(OpenSqliteReader(options_));
  }

  static SqliteHandle Checked(Result<SqliteHandle> opened) {
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    return *std::move(opened);
  }

  static std::string Pragma(const SqliteHandle& db, const std::string& name) {
    return *QuerySqliteText(db.get(), "PRAGMA " + name);
  }

  static int Config(const SqliteHandle& db, int option) {
    int value = -1;
    EXPECT_EQ(sqlite3_db_config(db.get(), option, -1, &value), SQLITE_OK);
    return value;
  }

  TemporaryDirectory directory_;
  SqliteOptions options_;
  SqliteHandle writer_;
  SqliteHandle reader_;
};

// STORES.md 2: with the WAL-reset bug only the writer's own thread may checkpoint.
TEST_F(SqliteHandles, NoConnectionCheckpointsByItself) {
  EXPECT_EQ(Pragma(writer_, "wal_autocheckpoint"), "0");
  EXPECT_EQ(Pragma(reader_, "wal_autocheckpoint"), "0");
  EXPECT_EQ(Config(reader_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), 1);
  EXPECT_EQ(Config(writer_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), 0);
}

TEST_F(SqliteHandles, ReadersCannotWriteNorCheckpoint) {
  EXPECT_FALSE(ExecuteSqlite(reader_.get(), "CREATE TABLE t(x)").has_value());
  EXPECT_EQ(sqlite3_db_readonly(reader_.get(), "main"), 1);
  ASSERT_TRUE(ExecuteSqlite(writer_.get(), "CREATE TABLE t(x)").has_value());
  EXPECT_EQ(*QuerySqliteText(reader_.get(), "SELECT count(*) FROM t"), "0");
  EXPECT_NE(sqlite3_wal_checkpoint_v2(reader_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                      nullptr),
            SQLITE_OK);
}

TEST_F(SqliteHandles, WriterCommitsToTheWalWithoutWaitingForTheDisk) {
  EXPECT_EQ(Pragma(writer_, "journal_mode"), "wal");
  EXPECT_EQ(Pragma(writer_, "synchronous"), "1");  // NORMAL: never OFF
  EXPECT_EQ(Pragma(writer_, "page_size"), "8192");
  EXPECT_EQ(Pragma(writer_, "secure_delete"), "2");  // FAST
  EXPECT_NE(Pragma(writer_, "mmap_size"), "0");
  EXPECT_NE(Pragma(reader_, "mmap_size"), "0");
}

TEST_F(SqliteHandles, ConnectionsDistrustTheFile) {
  for (const SqliteHandle* db : {&writer_, &reader_}) {
    EXPECT_EQ(Config(*db, SQLITE_DBCONFIG_DEFENSIVE), 1);
    EXPECT_EQ(Config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA), IsJsonDistrusted() ? 1 : 0);
    EXPECT_EQ(Config(*db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION), 0);
  }
  EXPECT_EQ(Pragma(writer_, "cell_size_check"), "1");
}

TEST_F(SqliteHandles, AGeneratedColumnMayUseJson) {
  ASSERT_TRUE(ExecuteSqlite(writer_.get(), "CREATE TABLE j(a, b AS (json_valid(a)))").has_value());

  for (const SqliteHandle* db : {&writer_, &reader_})
    EXPECT_TRUE(QuerySqliteText(db->get(), "SELECT count(b) FROM j").has_value());
}

TEST_F(SqliteHandles, EmptyBytesAreNotNull) {
  auto statement = PrepareSqlite(writer_.get(), "SELECT ?1 IS NULL, length(?1), ?1");
  ASSERT_TRUE(statement.has_value());

  ASSERT_EQ(BindSqliteBlob(statement->get(), 1, std::string_view()), SQLITE_OK);
  ASSERT_EQ(sqlite3_step(statement->get()), SQLITE_ROW);

  EXPECT_EQ(sqlite3_column_int(statement->get(), 0), 0);
  EXPECT_EQ(sqlite3_column_int(statement->get(), 1), 0);
  EXPECT_EQ(SqliteColumnBytes(statement->get(), 2), "");
}

TEST_F(SqliteHandles, ScopeClearsBindingsAndEndsTheStatement) {
  auto statement = PrepareSqlite(writer_.get(), "SELECT ?1 IS NULL");
  {
    const StatementScope scope(statement->get());
    BindSqliteBlob(statement->get(), 1, "x");
    ASSERT_EQ(sqlite3_step(statement->get()), SQLITE_ROW);
    EXPECT_EQ(sqlite3_column_int(statement->get(), 0), 0);
  }

  EXPECT_EQ(sqlite3_stmt_busy(statement->get()), 0);
  ASSERT_EQ(sqlite3_step(statement->get()), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(statement->get(), 0), 1);
}

TEST(SqliteErrors, GetTheCodeThatTellsWhatToDo) {
  const auto code = [](int error) { return FailSqlite(nullptr, "test", error).value().code; };

  EXPECT_EQ(code(SQLITE_FULL), ErrorCode::kNoSpace);
  EXPECT_EQ(code(SQLITE_CORRUPT), ErrorCode::kCorruption);
  EXPECT_EQ(code(SQLITE_CORRUPT_INDEX), ErrorCode::kCorruption);
  EXPECT_EQ(code(SQLITE_NOTADB), ErrorCode::kCorruption);
  EXPECT_EQ(code(SQLITE_BUSY_SNAPSHOT), ErrorCode::kBusy);
  EXPECT_EQ(code(SQLITE_IOERR_FSYNC), ErrorCode::kIo);
  EXPECT_EQ(code(SQLITE_TOOBIG), ErrorCode::kTooLarge);
}

TEST(SqliteErrors, WhatIsNoDatabaseIsCorruption) {
  TemporaryDirectory directory;
  SqliteOptions options;
  options.path = directory.File("db.sqlite");
  ASSERT_TRUE(WriteFileAtomically(options.path, std::string(100000, 'x')).has_value());

  auto writer = OpenSqliteWriter(options);

  ASSERT_FALSE(writer.has_value());
  EXPECT_EQ(writer.error().code, ErrorCode::kCorruption);
}

TEST(SqliteNames, AreQuotedAsIdentifiers) {
  EXPECT_EQ(QuoteSqlite("plain"), "\"plain\"");
  EXPECT_EQ(QuoteSqlite("a\"b"), "\"a\"\"b\"");
}

TEST(SqliteVersion, SingleWriterRuleIsNeededBeforeTheFixes) {
  for (const int affected : {3040001, 3044005, 3045000, 3050006, 3051000, 3051002}) {
    EXPECT_TRUE(IsSingleWriterRuleNeeded(affected)) << affected;
  }
  for (const int fixed : {3044006, 3044010, 3050007, 3051003, 3052000}) {
    EXPECT_FALSE(IsSingleWriterRuleNeeded(fixed)) << fixed;
  }
}

}  // namespace
}  // namespace switchback
