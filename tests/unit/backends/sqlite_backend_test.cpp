// What is particular to SQLite: the WAL, the files, tables that are not ours.
#include "backends/sqlite_backend.hpp"

#include <gtest/gtest.h>

#include "common/file.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

class SqliteBackendTest : public testing::Test {
 protected:
  void SetUp() override { options_.path = directory_.File("unified.sqlite"); }

  void Open() {
    backend_.reset();
    auto backend = SqliteBackend::Open(options_, catalog_);
    ASSERT_TRUE(backend.has_value()) << backend.error().message;
    backend_ = *std::move(backend);
  }

  // With no switchback near: as any SQLite tool.
  std::string Raw(const std::string& sql) {
    sqlite3* opened = nullptr;
    EXPECT_EQ(sqlite3_open(options_.path.c_str(), &opened), SQLITE_OK);
    const SqliteHandle db(opened);
    auto answer = QuerySqliteText(db.get(), sql);
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    return answer ? *answer : "";
  }

  void Apply(const EffectList& list) {
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = ++sequence_;
    const auto applied = backend_->Apply(list.effects(), state);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }

  const Collection& Named(const std::string& name) { return **catalog_.Intern(name); }
  [[nodiscard]] bool Exists(const std::string& suffix) const {
    return std::filesystem::exists(options_.path + suffix);
  }

  TemporaryDirectory directory_;
  SqliteOptions options_;
  CollectionCatalog catalog_;
  std::unique_ptr<SqliteBackend> backend_;
  std::uint64_t sequence_ = 0;
};

TEST_F(SqliteBackendTest, TablesAreReadableByAnyTool) {
  Open();
  Apply(EffectList().Put(Named("users"), "ann", "1").Put(Named("Users"), "bob", "2"));
  backend_.reset();

  EXPECT_EQ(Raw("SELECT CAST(value AS TEXT) FROM users WHERE key = x'616e6e'"), "1");
  EXPECT_EQ(Raw("SELECT CAST(value AS TEXT) FROM \"Users~2\""), "2");
  EXPECT_EQ(Raw("SELECT table_name FROM __switchback_collections WHERE collection = 'Users'"),
            "Users~2");
  EXPECT_EQ(Raw("SELECT applied_sequence FROM __switchback"), "1");
  EXPECT_EQ(Raw("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteBackendTest, ClosedFileIsCompleteOnItsOwn) {
  Open();
  Apply(EffectList().Put(Named("users"), "ann", "1"));
  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());
  view->End();
  EXPECT_TRUE(Exists("-wal"));

  backend_.reset();

  EXPECT_FALSE(Exists("-wal"));
  EXPECT_FALSE(Exists("-shm"));
}

TEST_F(SqliteBackendTest, TouchedFileCountsAsForeignUntilAccepted) {
  Open();
  Apply(EffectList().Put(Named("users"), "ann", "1"));
  backend_.reset();
  Raw("DELETE FROM users RETURNING 1");

  Open();

  EXPECT_EQ(backend_->CheckAlone().error().code, ErrorCode::kForeignWrite);
  ASSERT_TRUE(backend_->AcceptForeign().has_value());
  EXPECT_TRUE(backend_->CheckAlone().has_value());
  Open();
  EXPECT_TRUE(backend_->CheckAlone().has_value());
}

TEST_F(SqliteBackendTest, ForeignReadersAreWelcome) {
  Open();
  Apply(EffectList().Put(Named("users"), "ann", "1"));
  const int status = RunInChild([&] {
    sqlite3* db = nullptr;
    sqlite3_open(options_.path.c_str(), &db);
    if (sqlite3_exec(db, "SELECT * FROM users", nullptr, nullptr, nullptr) != SQLITE_OK) {
      ::_exit(1);
    }
    sqlite3_close(db);
  });
  ASSERT_EQ(status, 0);

  EXPECT_TRUE(backend_->CheckAlone().has_value());
  Apply(EffectList().Put(Named("users"), "ann", "2"));
}

TEST_F(SqliteBackendTest, ForeignTablesAreNamedAndLeftAlone) {
  {
    sqlite3* opened = nullptr;
    ASSERT_EQ(sqlite3_open(options_.path.c_str(), &opened), SQLITE_OK);
    const SqliteHandle db(opened);
    ASSERT_TRUE(ExecuteSqlite(db.get(), "CREATE TABLE Invoices(id); INSERT INTO Invoices VALUES(5)")
                    .has_value());
    ASSERT_TRUE(ExecuteSqlite(db.get(), "CREATE VIEW lately AS SELECT 1").has_value());
  }

  Open();

  ASSERT_EQ(backend_->unservable().size(), 2u);
  EXPECT_EQ(backend_->unservable()[0].name, "Invoices");
  EXPECT_EQ(backend_->unservable()[1].name, "lately");
  EXPECT_EQ(backend_->Reset().error().code, ErrorCode::kRefused);
  Apply(EffectList().Put(Named("invoices"), "k", "v"));
  ASSERT_TRUE(backend_->Detach().has_value());
  backend_.reset();
  EXPECT_EQ(Raw("SELECT id FROM Invoices"), "5");
  EXPECT_EQ(Raw("SELECT CAST(value AS TEXT) FROM \"invoices~2\""), "v");
}

TEST_F(SqliteBackendTest, DetachLeavesAnOrdinaryFile) {
  Open();
  Apply(EffectList().Put(Named("users"), "ann", "1"));
  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());
  view->End();

  ASSERT_TRUE(backend_->Detach().has_value());
  backend_.reset();

  EXPECT_EQ(Raw("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'"), "users");
  EXPECT_EQ(Raw("SELECT count(*) FROM users"), "1");
  EXPECT_EQ(Raw("PRAGMA journal_mode"), "delete");
  EXPECT_FALSE(Exists("-wal"));
  EXPECT_FALSE(Exists(".seal"));
}

TEST_F(SqliteBackendTest, ResetRemovesTheWalWithItsDatabase) {
  Open();
  for (int i = 0; i < 50; ++i) {
    Apply(EffectList().Put(Named("users"), "k" + std::to_string(i), std::string(10000, 'x')));
  }

  ASSERT_TRUE(backend_->Reset().has_value());

  EXPECT_LT(backend_->Stats().file_bytes + backend_->Stats().wal_bytes, 100000u);
  EXPECT_FALSE(Exists(".seal"));
  backend_.reset();
  EXPECT_EQ(Raw("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(Raw("SELECT count(*) FROM sqlite_schema"), "0");
}

TEST_F(SqliteBackendTest, WalStaysBounded) {
  options_.checkpoint_pages = 20;
  Open();

  for (int i = 0; i < 100; ++i) {
    Apply(EffectList().Put(Named("users"), "k" + std::to_string(i % 3), std::string(40000, 'x')));
  }

  // 100 batches of six pages or so: without checkpoints 5 MB.
  EXPECT_LT(backend_->Stats().wal_bytes, 500000u);
}

TEST_F(SqliteBackendTest, ReaderInTheWayDelaysTheCheckpointOnly) {
  options_.checkpoint_pages = 20;
  Open();
  Apply(EffectList().Put(Named("users"), "a", "1"));
  auto view = *backend_->NewReadView();
  ASSERT_TRUE(view->Begin().has_value());

  for (int i = 0; i < 30; ++i) {
    Apply(
        EffectList().Put(Named("users"), "k", std::string(40000, static_cast<char>('a' + i % 26))));
  }
  EXPECT_TRUE(backend_->MakeDurable().has_value());
  EXPECT_EQ(*view->Get(Named("users"), "k"), std::nullopt);
  EXPECT_EQ(*view->Get(Named("users"), "a"), "1");
  view->End();
  for (int i = 0; i < 30; ++i)
    Apply(EffectList().Put(Named("users"), "k", std::string(40000, 'z')));

  EXPECT_LT(backend_->Stats().wal_bytes, 4000000u);
}

TEST_F(SqliteBackendTest, PausingWritesEmptiesTheWal) {
  Open();
  Apply(EffectList().Put(Named("users"), "a", std::string(500000, 'x')));
  const std::uint64_t before = backend_->Stats().file_bytes;

  ASSERT_TRUE(backend_->CheckAlone().has_value());  // there was a write since open
  EXPECT_EQ(backend_->Stats().file_bytes, before);
  ASSERT_TRUE(backend_->CheckAlone().has_value());

  EXPECT_GE(backend_->Stats().file_bytes, 500000u);
}

TEST_F(SqliteBackendTest, FailedCheckpointNeedsAReopenAndLosesNothing) {
  options_.checkpoint_pages = 2;
  Open();
  const EffectList list = EffectList().Put(Named("users"), "a", std::string(100000, 'x'));
  {
    const ScopedFailpoints failing("sqlite.checkpoint=error");
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = 1;
    EXPECT_EQ(backend_->Apply(list.effects(), state).error().code, ErrorCode::kUnknownOutcome);
  }

  ASSERT_TRUE(backend_->Reopen().has_value());

  EXPECT_EQ(backend_->State()->applied_sequence, 1u);
}

TEST_F(SqliteBackendTest, FullDiskAtACheckpointIsNotTheBatchsFault) {
  options_.checkpoint_pages = 2;
  Open();
  const ScopedFailpoints failing("sqlite.checkpoint=nospace");

  Apply(EffectList().Put(Named("users"), "a", std::string(100000, 'x')));
  Apply(EffectList().Put(Named("users"), "b", std::string(100000, 'x')));

  EXPECT_EQ(backend_->State()->applied_sequence, 2u);
}

TEST_F(SqliteBackendTest, WriterOfAnotherProcessMakesApplyBusy) {
  Open();
  Apply(EffectList().Put(Named("users"), "a", "1"));
  sqlite3* opened = nullptr;  // another connection stands for another process here
  ASSERT_EQ(sqlite3_open(options_.path.c_str(), &opened), SQLITE_OK);
  SqliteHandle other(opened);
  ASSERT_TRUE(ExecuteSqlite(other.get(), "BEGIN IMMEDIATE").has_value());

  const auto refused = backend_->Apply({}, StoreState{});

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
  ASSERT_TRUE(ExecuteSqlite(other.get(), "ROLLBACK").has_value());
  other.reset();
  Apply(EffectList().Put(Named("users"), "a", "2"));
}

TEST_F(SqliteBackendTest, FileWhoseStateKnowsNoCollectionsIsServedAsAWholeOne) {
  Open();
  Apply(EffectList().Put(Named("users"), "a", "1"));
  const StoreState before = *backend_->State();
  backend_.reset();
  Raw("ALTER TABLE __switchback DROP COLUMN collections");
  Open();
  EXPECT_EQ(*backend_->State(), before);

  StoreState partial = before;
  partial.collections = {"users"};
  ASSERT_TRUE(backend_->Apply({}, partial).has_value());

  EXPECT_EQ(*backend_->State(), partial);
}

TEST_F(SqliteBackendTest, StateOfANewerVersionIsNotGuessedAt) {
  Open();
  Apply(EffectList().Put(Named("users"), "a", "1"));
  backend_.reset();
  Raw("UPDATE __switchback SET version = 3 RETURNING 1");

  auto backend = SqliteBackend::Open(options_, catalog_);

  ASSERT_FALSE(backend.has_value());
  EXPECT_EQ(backend.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace switchback
