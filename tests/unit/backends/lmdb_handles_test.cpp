#include "backends/lmdb_handles.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "common/file.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

// STORES.md 1: these corrupt the store when the power fails.
TEST(LmdbHandles, EnvironmentNeverSkipsWritesOrTheirOrder) {
  TemporaryDirectory directory;
  auto env = OpenMdbEnv(directory.File("env.mdb"), /*is_file=*/true, 1 << 20);
  ASSERT_TRUE(env.has_value()) << env.error().message;

  unsigned flags = 0;
  ASSERT_EQ(mdb_env_get_flags(env->get(), &flags), MDB_SUCCESS);

  EXPECT_EQ(flags & (MDB_NOSYNC | MDB_WRITEMAP | MDB_MAPASYNC | MDB_NOLOCK | MDB_FIXEDMAP), 0u);
  EXPECT_NE(flags & MDB_NOTLS, 0u);
  EXPECT_NE(flags & MDB_NOMETASYNC, 0u);
}

TEST(LmdbHandles, ManyMoreReadersThanLmdbsDefaultFit) {
  TemporaryDirectory directory;
  auto env = OpenMdbEnv(directory.File("env.mdb"), /*is_file=*/true, 1 << 20);
  ASSERT_TRUE(env.has_value());
  std::vector<MdbTxnHandle> readers;

  for (int i = 0; i < 1000; ++i) {
    MDB_txn* txn = nullptr;
    ASSERT_EQ(mdb_txn_begin(env->get(), nullptr, MDB_RDONLY, &txn), MDB_SUCCESS) << i;
    readers.emplace_back(txn);
  }
}

TEST(LmdbHandles, ErrorsGetTheCodeThatTellsWhatToDo) {
  const auto code = [](int error) { return FailMdb("test", error).value().code; };

  EXPECT_EQ(code(ENOSPC), ErrorCode::kNoSpace);
  EXPECT_EQ(code(MDB_MAP_FULL), ErrorCode::kNoSpace);
  EXPECT_EQ(code(MDB_CORRUPTED), ErrorCode::kCorruption);
  EXPECT_EQ(code(MDB_INVALID), ErrorCode::kCorruption);
  EXPECT_EQ(code(MDB_PANIC), ErrorCode::kUnknownOutcome);
  EXPECT_EQ(code(MDB_BAD_VALSIZE), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(MDB_TXN_FULL), ErrorCode::kTooLarge);
  EXPECT_EQ(code(MDB_READERS_FULL), ErrorCode::kUnavailable);
  EXPECT_EQ(code(EIO), ErrorCode::kIo);
}

TEST(LmdbHandles, WhatIsNoEnvironmentIsCorruption) {
  TemporaryDirectory directory;
  const std::string path = directory.File("env.mdb");
  ASSERT_TRUE(WriteFileAtomically(path, std::string(100000, 'x')).has_value());

  auto env = OpenMdbEnv(path, /*is_file=*/true, 1 << 20);

  ASSERT_FALSE(env.has_value());
  EXPECT_EQ(env.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace switchback
