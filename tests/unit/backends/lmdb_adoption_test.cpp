// Environments that other programs made (I9): served as they are, and left as they were.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "common/file.hpp"
#include "tests/contract/store_under_test.hpp"
#include "tests/unit/backends/raw_lmdb.hpp"

namespace switchback {
namespace {

using Records = std::map<std::string, std::string>;

class LmdbAdoption : public testing::Test {
 protected:
  std::unique_ptr<LmdbBackend> Open(bool create = false) {
    LmdbOptions options;
    options.path = path_;
    options.create = create;
    auto backend = LmdbBackend::Open(options, catalog_);
    EXPECT_TRUE(backend.has_value()) << backend.error().message;
    return backend ? *std::move(backend) : nullptr;
  }

  const Collection& Named(const std::string& name) { return **catalog_.Intern(name); }

  static StoreState At(std::uint64_t sequence) {
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = sequence;
    return state;
  }

  Records Scan(Backend& backend, const std::string& collection) {
    auto view = backend.NewReadView();
    EXPECT_TRUE((*view)->Begin().has_value());
    Records records;
    EXPECT_TRUE((*view)
                    ->Scan(Named(collection), "",
                           [&](auto key, auto value) {
                             records.emplace(key, value);
                             return true;
                           })
                    .has_value());
    EXPECT_EQ(*(*view)->Count(Named(collection)), records.size());
    return records;
  }

  std::vector<std::string> Names(Backend& backend) {
    auto view = backend.NewReadView();
    EXPECT_TRUE((*view)->Begin().has_value());
    return *(*view)->CollectionNames();
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.File("env");
  CollectionCatalog catalog_;
};

TEST_F(LmdbAdoption, ServesMainAndNamedDatabases) {
  {
    RawLmdb raw(path_);
    raw.Put(nullptr, "plain", "1");
    raw.Put(nullptr, std::string("bin\0ary", 7), std::string(48, 'x'));
    raw.Put(nullptr, "size-of-a-db", std::string(48, '\0'));
    raw.Put("users", std::string("\0", 1), "2");
    raw.Put("orders", "o", "");
  }

  auto backend = Open();

  EXPECT_EQ(Names(*backend), (std::vector<std::string>{"main", "orders", "users"}));
  EXPECT_EQ(Scan(*backend, "main"), (Records{{"plain", "1"},
                                             {std::string("bin\0ary", 7), std::string(48, 'x')},
                                             {"size-of-a-db", std::string(48, '\0')}}));
  EXPECT_EQ(Scan(*backend, "users"), (Records{{std::string("\0", 1), "2"}}));
  EXPECT_EQ(Scan(*backend, "orders"), (Records{{"o", ""}}));
  EXPECT_TRUE(backend->unservable().empty());
  EXPECT_EQ(*backend->State(), StoreState{});
}

TEST_F(LmdbAdoption, OpeningChangesNothing) {
  {
    RawLmdb raw(path_);
    raw.Put(nullptr, "plain", "1");
    raw.Put("users", "u", "2");
  }
  const auto read = [&] { return *ReadWholeFile(path_ + "/data.mdb", 64 << 20); };
  const std::string before = read();

  { auto backend = Open(); }

  EXPECT_EQ(read(), before);
}

TEST_F(LmdbAdoption, RecognisesAFileWithoutDirectory) {
  {
    RawLmdb raw(path_, MDB_NOSUBDIR);
    raw.Put("users", "u", "1");
  }

  auto backend = Open();

  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(Scan(*backend, "users"), (Records{{"u", "1"}}));
  EXPECT_TRUE(backend->Apply(EffectList().Put(Named("users"), "v", "2").effects(), At(1)));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(LmdbAdoption, AbsentEnvironmentIsNotMadeUnlessAsked) {
  LmdbOptions options;
  options.path = path_;
  options.create = false;

  auto backend = LmdbBackend::Open(options, catalog_);

  ASSERT_FALSE(backend.has_value());
  EXPECT_EQ(backend.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LmdbAdoption, DatabasesThatAreNotPlainRecordsAreNamedAndLeftAlone) {
  {
    RawLmdb raw(path_);
    raw.Put("fine", "k", "v");
    raw.Put("dup", "k", "v", MDB_DUPSORT);
    raw.Put("int", std::string(4, '\1'), "v", MDB_INTEGERKEY);
    raw.Put("rev", "k", "v", MDB_REVERSEKEY);
    raw.Put("bad name", "k", "v");
    raw.Put("__switchback_mine", "k", "v");
    raw.Put("main", "k", "v");
  }

  auto backend = Open();

  std::map<std::string, std::string> reasons;
  for (const auto& one : backend->unservable()) reasons[one.name] = one.reason;
  ASSERT_EQ(reasons.size(), 6u);
  EXPECT_NE(reasons["dup"].find("MDB_DUPSORT"), std::string::npos);
  EXPECT_NE(reasons["int"].find("MDB_INTEGERKEY"), std::string::npos);
  EXPECT_NE(reasons["rev"].find("MDB_REVERSEKEY"), std::string::npos);
  EXPECT_NE(reasons["bad name"], "");
  EXPECT_NE(reasons["main"], "");
  EXPECT_EQ(Names(*backend), (std::vector<std::string>{"fine"}));
  EXPECT_TRUE(Scan(*backend, "dup").empty());
  EXPECT_TRUE(Scan(*backend, "main").empty());
  const auto refused = backend->Apply(EffectList().Put(Named("dup"), "k", "w").effects(), At(1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_EQ(backend->Reset().error().code, ErrorCode::kRefused);
  EXPECT_TRUE(backend->Apply(EffectList().Put(Named("main"), "m", "1").effects(), At(1)));
  EXPECT_EQ(Names(*backend), (std::vector<std::string>{"fine", "main"}));
}

TEST_F(LmdbAdoption, MainDatabaseThatIsNotPlainIsUnservable) {
  {
    RawLmdb raw(path_);
    raw.Put(nullptr, "k", "v", MDB_DUPSORT);
  }

  auto backend = Open();

  ASSERT_EQ(backend->unservable().size(), 1u);
  EXPECT_EQ(backend->unservable()[0].name, "main");
  EXPECT_TRUE(Scan(*backend, "main").empty());
  EXPECT_FALSE(backend->Apply(EffectList().Put(Named("main"), "k", "w").effects(), At(1)));
  EXPECT_FALSE(backend->Apply(EffectList().Put(Named("new"), "k", "w").effects(), At(1)));
  backend.reset();
  RawLmdb raw(path_);
  EXPECT_EQ(raw.Dump(nullptr), (Records{{"k", "v"}}));
}

TEST_F(LmdbAdoption, DatabaseIsNeverOverwrittenThroughMain) {
  {
    RawLmdb raw(path_);
    raw.Put("users", "u", "1");
    raw.Put(nullptr, "plain", "2");
  }
  auto backend = Open();

  const auto put = backend->Apply(
      EffectList().Put(Named("main"), "a", "x").Put(Named("main"), "users", "x").effects(), At(1));
  const auto make = backend->Apply(EffectList().Put(Named("plain"), "k", "x").effects(), At(1));
  const auto erase = backend->Apply(EffectList().Delete(Named("main"), "users").effects(), At(1));

  ASSERT_FALSE(put.has_value());
  EXPECT_EQ(put.error().code, ErrorCode::kInvalidArgument);
  ASSERT_FALSE(make.has_value());
  EXPECT_EQ(make.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(erase.has_value());
  EXPECT_EQ(Scan(*backend, "users"), (Records{{"u", "1"}}));
  EXPECT_EQ(Scan(*backend, "main"), (Records{{"plain", "2"}}));
  auto view = *backend->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());
  EXPECT_EQ(*view->Get(Named("main"), "users"), std::nullopt);
}

TEST_F(LmdbAdoption, ClearingMainKeepsTheDatabases) {
  {
    RawLmdb raw(path_);
    for (int i = 0; i < 500; ++i) raw.Put(nullptr, "k" + std::to_string(i), std::string(48, 'v'));
    raw.Put("k250.db", "u", "1");
    raw.Put("zz", "u", "2");
  }
  auto backend = Open();

  ASSERT_TRUE(backend->Apply(EffectList().Clear(Named("main")).effects(), At(1)));

  EXPECT_TRUE(Scan(*backend, "main").empty());
  EXPECT_EQ(Names(*backend), (std::vector<std::string>{"k250.db", "zz"}));
  EXPECT_EQ(Scan(*backend, "k250.db"), (Records{{"u", "1"}}));
}

TEST_F(LmdbAdoption, DetachLeavesTheRecordsAndNothingElse) {
  {
    RawLmdb raw(path_);
    raw.Put(nullptr, "plain", "1");
    raw.Put("users", "u", "1");
    raw.Put("empty", "e", "1");
  }
  {
    auto backend = Open();
    ASSERT_TRUE(backend->Apply(EffectList()
                                   .Put(Named("main"), "plain", "2")
                                   .Delete(Named("empty"), "e")
                                   .Put(Named("new"), "n", "3")
                                   .effects(),
                               At(1)));
    ASSERT_TRUE(backend->Detach().has_value());
  }

  RawLmdb raw(path_);
  Records main = raw.Dump(nullptr);

  EXPECT_EQ(main.size(), 4u);
  EXPECT_EQ(main.count("__switchback"), 0u);
  EXPECT_EQ(main["plain"], "2");
  EXPECT_EQ(raw.Dump("users"), (Records{{"u", "1"}}));
  EXPECT_EQ(raw.Dump("empty"), Records());
  EXPECT_EQ(raw.Dump("new"), (Records{{"n", "3"}}));
}

TEST_F(LmdbAdoption, ReadersLeftByAKilledProcessAreCleared) {
  {
    RawLmdb raw(path_);
    raw.Put("users", "u", "1");
  }
  auto backend = Open();  // keeps the lock file in use, so that slots are not cleared by itself
  const int status = RunInChild([&] {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    mdb_env_create(&env);
    if (mdb_env_open(env, path_.c_str(), 0, 0600) != 0) ::_exit(1);
    if (mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) != 0) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto bytes_after_updates = [&] {
    for (std::uint64_t i = 1; i <= 50; ++i) {
      const auto applied = backend->Apply(
          EffectList().Put(Named("users"), "big", std::string(200000, 'x')).effects(), At(i));
      EXPECT_TRUE(applied.has_value());
    }
    return backend->Stats().file_bytes;
  };

  ASSERT_TRUE(backend->CheckAlone().has_value());

  // 50 x 200 kB: were the dead reader's snapshot still held, no page could be used again.
  EXPECT_LT(bytes_after_updates(), 5000000u);
}

TEST_F(LmdbAdoption, MapThatTheOwnerMadeTooSmallIsRaised) {
  {
    RawLmdb raw(path_, 0, 1 << 20);
    raw.Put("users", "u", "1");
  }
  auto backend = Open();

  ASSERT_TRUE(backend->Apply(
      EffectList().Put(Named("users"), "big", std::string(8 << 20, 'x')).effects(), At(1)));

  EXPECT_GT(backend->Stats().map_bytes, 1u << 30);
  EXPECT_EQ(backend->Stats().map_growths, 0u);
}

TEST_F(LmdbAdoption, EnvironmentIsOpenOnceInAProcess) {
  auto backend = Open(/*create=*/true);
  LmdbOptions options;
  options.path = path_;

  auto second = LmdbBackend::Open(options, catalog_);

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  backend.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(LmdbAdoption, ResetKeepsTheFilesMode) {
  {
    RawLmdb raw(path_);
    raw.Put("users", "u", "1");
  }
  auto backend = Open();

  ASSERT_TRUE(backend->Reset().has_value());

  struct stat info {};
  ASSERT_EQ(::stat((path_ + "/data.mdb").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/data.mdb.reset"));
  EXPECT_TRUE(Names(*backend).empty());
}

TEST_F(LmdbAdoption, DamagedStateIsCorruptionAndNotANewStore) {
  {
    auto backend = Open(/*create=*/true);
    ASSERT_TRUE(backend->Apply({}, At(1)).has_value());
  }
  {
    RawLmdb raw(path_);
    raw.Put("__switchback", "state", "damaged");
  }
  LmdbOptions options;
  options.path = path_;

  auto backend = LmdbBackend::Open(options, catalog_);

  ASSERT_FALSE(backend.has_value());
  EXPECT_EQ(backend.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace switchback
