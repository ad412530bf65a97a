// Copies of an LMDB snapshot: what is not served comes along as it is.
#include "backends/lmdb_copy.hpp"

#include <gtest/gtest.h>

#include <map>

#include "backends/lmdb_handles.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback {
namespace {

using test::IsOk;
using test::Must;

using Entries = std::multimap<std::string, std::string>;

class LmdbCopyTest : public ::testing::Test {
 protected:
  static MdbEnvHandle Open(const std::string& path) {
    return Must(OpenMdbEnv(path, true, 64 << 20));
  }
  static MdbTxnHandle Begin(MDB_env* env, unsigned flags) {
    MDB_txn* txn = nullptr;
    EXPECT_EQ(mdb_txn_begin(env, nullptr, flags, &txn), MDB_SUCCESS);
    return MdbTxnHandle(txn);
  }
  static void Put(MDB_txn* txn, const char* name, unsigned flags, std::string_view key,
                  std::string_view value) {
    MDB_dbi dbi = 0;
    ASSERT_EQ(mdb_dbi_open(txn, name, flags | MDB_CREATE, &dbi), MDB_SUCCESS);
    MDB_val mdb_key = ToMdb(key);
    MDB_val mdb_value = ToMdb(value);
    ASSERT_EQ(mdb_put(txn, dbi, &mdb_key, &mdb_value, 0), MDB_SUCCESS);
  }
  static Entries Read(MDB_txn* txn, const char* name, unsigned* flags = nullptr) {
    MDB_dbi dbi = 0;
    EXPECT_EQ(mdb_dbi_open(txn, name, 0, &dbi), MDB_SUCCESS);
    if (flags != nullptr) mdb_dbi_flags(txn, dbi, flags);
    MDB_cursor* opened = nullptr;
    EXPECT_EQ(mdb_cursor_open(txn, dbi, &opened), MDB_SUCCESS);
    const MdbCursorHandle cursor(opened);
    Entries entries;
    MDB_val key{};
    MDB_val value{};
    while (mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT) == MDB_SUCCESS)
      entries.emplace(FromMdb(key), FromMdb(value));
    return entries;
  }

  test::TempDir dir_;
};

TEST_F(LmdbCopyTest, DatabasesOfEveryKindAreCopiedAsTheyAre) {
  const MdbEnvHandle env = Open(dir_.File("source"));
  const std::uint64_t number = 7;
  const std::string_view number_key(reinterpret_cast<const char*>(&number), sizeof number);
  {
    MdbTxnHandle txn = Begin(env.get(), 0);
    Put(txn.get(), nullptr, 0, "plain", std::string(48, 'p'));
    Put(txn.get(), "a", 0, "k", "v");
    Put(txn.get(), "dup", MDB_DUPSORT, "k", "1");
    Put(txn.get(), "dup", MDB_DUPSORT, "k", "2");
    Put(txn.get(), "integer", MDB_INTEGERKEY, number_key, "n");
    Put(txn.get(), "reverse", MDB_REVERSEKEY, "ab", "1");
    Put(txn.get(), "reverse", MDB_REVERSEKEY, "ba", "2");
    ASSERT_EQ(CommitTxn(std::move(txn)), MDB_SUCCESS);
  }
  const MdbTxnHandle snapshot = Begin(env.get(), MDB_RDONLY);

  ASSERT_TRUE(IsOk(WriteLmdbCopy(snapshot.get(), {"a", "dup", "integer", "reverse"},
                                 dir_.File("copy"), [](std::uint64_t) { return Status{}; })));

  const MdbEnvHandle copy = Open(dir_.File("copy"));
  const MdbTxnHandle txn = Begin(copy.get(), MDB_RDONLY);
  unsigned flags = 0;
  EXPECT_EQ(Read(txn.get(), "a"), (Entries{{"k", "v"}}));
  EXPECT_EQ(Read(txn.get(), "dup", &flags), (Entries{{"k", "1"}, {"k", "2"}}));
  EXPECT_EQ(flags, unsigned{MDB_DUPSORT});
  EXPECT_EQ(Read(txn.get(), "integer", &flags), (Entries{{std::string(number_key), "n"}}));
  EXPECT_EQ(flags, unsigned{MDB_INTEGERKEY});
  EXPECT_EQ(Read(txn.get(), "reverse", &flags), (Entries{{"ab", "1"}, {"ba", "2"}}));
  EXPECT_EQ(flags, unsigned{MDB_REVERSEKEY});
  EXPECT_EQ(Read(txn.get(), nullptr).size(), 5u) << "a record and four databases";
}

TEST_F(LmdbCopyTest, MoreThanOnePortionIsOneCopy) {
  const MdbEnvHandle env = Open(dir_.File("source"));
  constexpr int kCount = 40;
  {
    MdbTxnHandle txn = Begin(env.get(), 0);
    for (int i = 0; i < kCount; ++i)
      Put(txn.get(), "a", 0, "k" + std::to_string(1000 + i), std::string(1 << 20, 'v'));
    ASSERT_EQ(CommitTxn(std::move(txn)), MDB_SUCCESS);
  }
  const MdbTxnHandle snapshot = Begin(env.get(), MDB_RDONLY);
  std::uint64_t bytes = 0;

  ASSERT_TRUE(IsOk(WriteLmdbCopy(snapshot.get(), {"a"}, dir_.File("copy"), [&](std::uint64_t more) {
    bytes += more;
    return Status{};
  })));

  EXPECT_EQ(bytes, std::uint64_t{kCount} * ((1 << 20) + 5));
  const MdbEnvHandle copy = Must(OpenMdbEnv(dir_.File("copy"), true, 256 << 20));
  EXPECT_EQ(Read(Begin(copy.get(), MDB_RDONLY).get(), "a").size(), std::size_t{kCount});
}

}  // namespace
}  // namespace switchback
