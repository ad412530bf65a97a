// The bare stores must be what a careful application would use: a baseline that cheats with
// durability, or that is slower than it need be, would make every ratio worthless.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "server/bench/data_directory.hpp"
#include "server/bench/lmdb_store.hpp"
#include "server/bench/record.hpp"
#include "server/bench/sqlite_store.hpp"

namespace switchback::bench {
namespace {

using testing::HasSubstr;

class BenchStores : public testing::Test {
 protected:
  // The first column of the first row, as text.
  static std::string Ask(sqlite3* connection, const char* sql) {
    auto statement = Prepare(connection, sql);
    EXPECT_TRUE(statement) << statement.error().message;
    EXPECT_EQ(sqlite3_step(statement->get()), SQLITE_ROW) << sql;
    return reinterpret_cast<const char*>(sqlite3_column_text(statement->get(), 0));
  }

  std::unique_ptr<SqliteStore> CreateSqlite(const SqliteTuning& tuning) {
    auto store = SqliteStore::Create(path_, tuning);
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }

  DataDirectory directory_ = DataDirectory::Create(testing::TempDir()).value();
  const std::string path_ = directory_.Below("bare.sqlite");
};

TEST_F(BenchStores, LmdbCommitsAreDurable) {
  const auto store = LmdbStore::Open(directory_.Below("lmdb"));
  ASSERT_TRUE(store) << store.error().message;

  unsigned flags = 0;
  ASSERT_EQ(mdb_env_get_flags((*store)->env(), &flags), 0);

  EXPECT_EQ(flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC), 0U);
}

TEST_F(BenchStores, LmdbHoldsWhatWasLoadedInKeyOrder) {
  const auto store = LmdbStore::Open(directory_.Below("lmdb")).value();

  ASSERT_TRUE(store->Load(1000, 10));

  const auto txn = store->Begin(MDB_RDONLY).value();
  MDB_stat stat{};
  ASSERT_EQ(mdb_stat(txn.get(), store->dbi(), &stat), 0);
  EXPECT_EQ(stat.ms_entries, 1000U);
}

TEST_F(BenchStores, LmdbSaysWhatItCouldNotDo) {
  const auto store = LmdbStore::Open("/proc/nonexistent");

  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("/proc"));
}

TEST_F(BenchStores, LoadingLmdbTwiceIsRefused) {
  const auto store = LmdbStore::Open(directory_.Below("lmdb")).value();
  ASSERT_TRUE(store->Load(10, 10));

  const Status again = store->Load(10, 10);  // appends must be past the last key

  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("load"));
}

TEST_F(BenchStores, SqliteIsAWalFileWithThePagesAskedFor) {
  const auto store = CreateSqlite({8192, 500});
  const auto connection = OpenSqlite(path_, SQLITE_OPEN_READONLY).value();

  EXPECT_EQ(Ask(connection.get(), "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(Ask(connection.get(), "PRAGMA page_size"), "8192");
  EXPECT_EQ(store->path(), path_);
}

TEST_F(BenchStores, SqliteIsCheckpointedAfterLoading) {
  const auto store = CreateSqlite(TuningFor(100));

  ASSERT_TRUE(store->Load(1000, 100));

  // Reads from the log cost more than reads from the file: the baseline has to be the faster one.
  const auto connection = OpenSqlite(path_, SQLITE_OPEN_READONLY).value();
  EXPECT_EQ(Ask(connection.get(), "SELECT count(*) FROM bench"), "1000");
  EXPECT_EQ(Ask(connection.get(), "SELECT length(key) || '/' || length(value) FROM bench"),
            "16/100");
  EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0U);
}

TEST_F(BenchStores, AFailedSqliteTransactionLeavesNothing) {
  const auto store = CreateSqlite(TuningFor(100));
  ASSERT_TRUE(store->Load(10, 10));
  const auto other = OpenSqlite(path_, SQLITE_OPEN_READWRITE).value();
  ASSERT_TRUE(Execute(other.get(),
                      "CREATE TRIGGER refuse BEFORE INSERT ON bench WHEN new.value = x'62' "
                      "BEGIN SELECT raise(FAIL, 'refused'); END"));
  const RecordView records[] = {{"first", "a"}, {"second", "b"}};

  const Status written = store->Write(records);

  ASSERT_FALSE(written);
  EXPECT_EQ(Ask(other.get(), "SELECT count(*) FROM bench"), "10") << "rolled back as a whole";
  EXPECT_TRUE(store->Write({records, 1})) << "and it goes on";
}

TEST_F(BenchStores, SqliteSaysWhatItCouldNotDo) {
  const auto store = SqliteStore::Create(directory_.path(), {});

  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("bare SQLite"));
}

TEST_F(BenchStores, AReadOnlyConnectionCannotWrite) {
  const auto store = CreateSqlite({});
  const auto connection = OpenSqlite(path_, SQLITE_OPEN_READONLY).value();

  EXPECT_FALSE(Execute(connection.get(), "DELETE FROM bench"));
}

}  // namespace
}  // namespace switchback::bench
