// What a migration of the schema may do to a SQLite store, and what happens when it may not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "backends/sql_store.hpp"
#include "backends/sqlite_backend.hpp"
#include "backends/sqlite_script.hpp"
#include "common/failpoint.hpp"
#include "tests/contract/store_under_test.hpp"

namespace switchback {
namespace {

using testing::HasSubstr;

constexpr const char* kEmailColumn =
    "ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(CAST(value "
    "AS"
    " TEXT)) THEN json_extract(CAST(value AS TEXT), '$.email') END) VIRTUAL;\n"
    "CREATE INDEX users_email ON users(email);";
constexpr const char* kDropEmailColumn =
    "DROP INDEX users_email; ALTER TABLE users DROP COLUMN email;";

class SqliteSchemaTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = directory_.File("unified.sqlite");
    Open();
    Apply(EffectList().Put(users_, "ann", R"({"email":"a@x"})").Put(users_, "bob", "{"));
  }
  void TearDown() override { ASSERT_TRUE(SetFailpoints("").has_value()); }

  void Open() {
    backend_.reset();
    auto backend = SqliteBackend::Open(options_, catalog_);
    ASSERT_TRUE(backend.has_value()) << backend.error().message;
    backend_ = *std::move(backend);
  }
  Status TryApply(const EffectList& list) {
    StoreState state;
    state.log_id = "log";
    state.applied_sequence = sequence_ + 1;
    auto applied = backend_->Apply(list.effects(), state);
    if (applied) ++sequence_;
    return applied;
  }
  void Apply(const EffectList& list) {
    const auto applied = TryApply(list);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }
  SqlStore& store() { return *backend_->sql_store(); }
  std::uint64_t Version() { return store().SchemaVersions().value().size(); }
  Status Up(const std::string& sql, const std::string& down = "", const SqlBudget& budget = {}) {
    const std::uint64_t version = Version() + 1;
    return store().ChangeSchema(
        {SchemaDirection::kUp, {version, "t", "up", "down", "now", down}, sql, "t.up.sql"}, budget);
  }
  Status Down() {
    const SchemaVersion version = store().SchemaVersions().value().back();
    return store().ChangeSchema({SchemaDirection::kDown, version, version.down_sql, "t.down.sql"},
                                {});
  }
  Result<SqlResult> Query(SqlQuery query) {
    auto view = backend_->NewReadView();
    SqlReader* sql = (*view)->sql();
    SB_RETURN_IF_ERROR((*view)->Begin());
    auto result = sql->Query(query);
    (*view)->End();
    return result;
  }
  Result<SqlResult> Query(const std::string& sql) {
    SqlQuery query;
    query.sql = sql;
    return Query(query);
  }
  // The only value of the only row, as text.
  std::string One(const std::string& sql) {
    const auto result = Query("SELECT CAST((" + sql + ") AS TEXT)");
    if (!result) return result.error().message;
    const auto* text = std::get_if<std::string>(&result->rows.at(0).at(0));
    return text == nullptr ? "NULL" : *text;
  }
  std::string Value(const std::string& key) {
    auto view = backend_->NewReadView();
    EXPECT_TRUE((*view)->Begin().has_value());
    const auto value = (*view)->Get(users_, key);
    return value && *value ? std::string(**value) : "(none)";
  }
  std::string Refused(const Status& status, ErrorCode code = ErrorCode::kRefused) {
    if (status) return "it was allowed";
    EXPECT_EQ(status.error().code, code) << status.error().message;
    return status.error().message;
  }

  TemporaryDirectory directory_;
  SqliteOptions options_;
  CollectionCatalog catalog_;
  const Collection& users_ = **catalog_.Intern("users");
  std::unique_ptr<SqliteBackend> backend_;
  std::uint64_t sequence_ = 0;
};

TEST_F(SqliteSchemaTest, AGeneratedColumnIsIndexedAndFindsRecordsOldAndNew) {
  ASSERT_TRUE(Up(kEmailColumn, kDropEmailColumn).has_value());
  Apply(EffectList().Put(users_, "cyd", R"({"email":"c@x"})"));

  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'a@x'"), "ann");
  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'c@x'"), "cyd");
  EXPECT_EQ(Version(), 1u);
  EXPECT_TRUE(store().Validate({}).value().is_ok()) << store().Validate({}).value().Problems();
}

TEST_F(SqliteSchemaTest, RecordsThatAreNotJsonGoOnBeingWritten) {
  ASSERT_TRUE(Up(kEmailColumn).has_value());

  for (const std::string& value : {std::string("{"), std::string(), std::string("\xff\xfe"),
                                   std::string("\0", 1), std::string("[1]"), std::string("text")}) {
    Apply(EffectList().Put(users_, "ann", value).Put(users_, "new", value));
    EXPECT_EQ(Value("ann"), value);
  }
  Apply(EffectList().Delete(users_, "ann").Clear(users_));
  EXPECT_EQ(Value("new"), "(none)");
}

TEST_F(SqliteSchemaTest, ReadersThatWereThereBeforeSeeTheNewSchema) {
  auto view = backend_->NewReadView();
  ASSERT_TRUE((*view)->Begin().has_value());
  ASSERT_TRUE((*view)->Get(users_, "ann").has_value());
  (*view)->End();

  ASSERT_TRUE(Up(kEmailColumn).has_value());

  ASSERT_TRUE((*view)->Begin().has_value());
  EXPECT_EQ((*view)->Get(users_, "bob").value().value_or("(none)"), "{");
  (*view)->End();
}

TEST_F(SqliteSchemaTest, ASnapshotHeldDuringAMigrationGoesOn) {
  auto view = backend_->NewReadView();
  ASSERT_TRUE((*view)->Begin().has_value());

  ASSERT_TRUE(Up(kEmailColumn).has_value());

  EXPECT_EQ((*view)->Get(users_, "bob").value().value_or("(none)"), "{");
}

TEST_F(SqliteSchemaTest, VersionsAndSchemaSurviveAReopenAndARestart) {
  ASSERT_TRUE(Up(kEmailColumn, kDropEmailColumn).has_value());

  ASSERT_TRUE(backend_->Reopen().has_value());
  EXPECT_EQ(Version(), 1u);
  Open();

  EXPECT_EQ(store().SchemaVersions().value().back().down_sql, kDropEmailColumn);
  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'a@x'"), "ann");
  EXPECT_TRUE(backend_->unservable().empty());
}

TEST_F(SqliteSchemaTest, ADownTakesItBack) {
  ASSERT_TRUE(Up(kEmailColumn, kDropEmailColumn).has_value());

  ASSERT_TRUE(Down().has_value());

  EXPECT_EQ(Version(), 0u);
  EXPECT_THAT(One("SELECT email FROM users"), HasSubstr("no such column"));
  Apply(EffectList().Put(users_, "ann", "{"));
}

TEST_F(SqliteSchemaTest, ADownThatFailsChangesNothing) {
  ASSERT_TRUE(Up(kEmailColumn, "DROP INDEX users_email;\nDROP INDEX missing;").has_value());

  EXPECT_THAT(Refused(Down(), ErrorCode::kInvalidArgument),
              HasSubstr("t.down.sql:2: DROP INDEX missing: no such index"));

  EXPECT_EQ(Version(), 1u);
  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'a@x'"), "ann");
}

TEST_F(SqliteSchemaTest, AFailureNamesLineAndStatementAndUndoesWhatCameBefore) {
  const auto failed =
      Up("-- first\nCREATE TABLE mine(a);\n\n/* then\n */ INSERT INTO\n  nowhere VALUES(1);");

  EXPECT_THAT(Refused(failed, ErrorCode::kInvalidArgument),
              HasSubstr("t.up.sql:5: INSERT INTO   nowhere VALUES(1): no such table: nowhere"));
  EXPECT_EQ(Version(), 0u);
  EXPECT_EQ(One("SELECT count(*) FROM sqlite_schema WHERE name = 'mine'"), "0");
}

TEST_F(SqliteSchemaTest, TablesOfItsOwnMayBeFilledFromRecords) {
  ASSERT_TRUE(Up("CREATE TABLE mine(k PRIMARY KEY, n); INSERT INTO mine SELECT key, length(value)"
                 " FROM users; CREATE VIEW v AS SELECT k FROM mine; UPDATE mine SET n = n + 1;")
                  .has_value());

  EXPECT_EQ(One("SELECT sum(n) FROM mine JOIN v USING(k)"), "18");
}

struct Refusal {
  const char* name;
  const char* sql;
  const char* why;
};
class RefusedMigrations : public SqliteSchemaTest, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusedMigrations, ChangeNothing) {
  const std::string before =
      One("SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_schema");

  const std::string why = Refused(Up(GetParam().sql));

  EXPECT_THAT(why, HasSubstr(GetParam().why));
  EXPECT_EQ(Version(), 0u);
  EXPECT_EQ(One("SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_schema"), before);
  Apply(EffectList().Put(users_, "cyd", "{").Delete(users_, "ann"));
  EXPECT_TRUE(store().Validate({}).value().is_ok());
}

INSTANTIATE_TEST_SUITE_P(
    Schema, RefusedMigrations,
    testing::Values(
        Refusal{"Attach", "ATTACH 'x' AS y", "ATTACH"}, Refusal{"Detach", "DETACH main", "DETACH"},
        Refusal{"WritableSchema", "PRAGMA writable_schema = ON", "writable_schema"},
        Refusal{"JournalMode", "PRAGMA journal_mode = DELETE", "journal_mode"},
        Refusal{"Begin", "BEGIN", "one transaction"},
        Refusal{"Commit", "COMMIT", "one transaction"},
        Refusal{"Rollback", "ROLLBACK", "one transaction"},
        Refusal{"Savepoint", "SAVEPOINT x", "one transaction"},
        Refusal{"LoadExtension", "SELECT load_extension('x')", "load_extension"},
        Refusal{"TemporaryTable", "CREATE TEMP TABLE t(a)", "temporary"},
        Refusal{"UnknownModule", "CREATE VIRTUAL TABLE t USING dbstat", "dbstat"},
        Refusal{"OwnTableDropped", "DROP TABLE __switchback", "own"},
        Refusal{"OwnTableWritten", "UPDATE __switchback SET epoch = 7", "own"},
        Refusal{"OwnTableIndexed", "CREATE INDEX i ON __switchback(epoch)", "own"},
        Refusal{"OwnNameTaken", "CREATE TABLE __Switchback_mine(a)", "own"},
        Refusal{"OwnNameTakenByRename", "CREATE TABLE t(a); ALTER TABLE t RENAME TO __switchback_t",
                "own"},
        Refusal{"CollectionDropped", "DROP TABLE users", "collection"},
        Refusal{"CollectionReplaced",
                "ALTER TABLE users RENAME TO old; CREATE TABLE users(key BLOB PRIMARY KEY NOT NULL,"
                " value BLOB NOT NULL) WITHOUT ROWID",
                "replaces"},
        Refusal{"ColumnRenamed", "ALTER TABLE users RENAME COLUMN value TO v", "key and value"},
        Refusal{"PlainColumn", "ALTER TABLE users ADD COLUMN note TEXT", "generated"},
        Refusal{"NotNullColumn", "ALTER TABLE users ADD COLUMN g AS (length(value)) NOT NULL",
                "NOT NULL"},
        Refusal{"Check", "ALTER TABLE users ADD COLUMN g AS (length(value)) CHECK (g < 100)",
                "CHECK"},
        Refusal{"RecordsDeleted", "DELETE FROM users", "commit log"},
        Refusal{"RecordsUpdated", "UPDATE users SET value = x''", "commit log"},
        Refusal{"RecordsInserted", "INSERT INTO users VALUES(x'01', x'02')", "commit log"},
        Refusal{"UniqueIndex", "CREATE UNIQUE INDEX u ON users(value)", "unique"},
        Refusal{"UnguardedJson",
                "ALTER TABLE users ADD COLUMN g AS (length(value)); CREATE INDEX i ON"
                " users(CASE WHEN length(value) < 5 AND value <> x'7b' THEN"
                " json_extract(CAST(value AS TEXT), '$.x') END)",
                "malformed JSON"},
        Refusal{"DateOfAValue", "CREATE INDEX i ON users(date(CAST(value AS TEXT)))", "date()"},
        Refusal{"LikeAValue", "CREATE INDEX i ON users(key LIKE value)", "LIKE"},
        Refusal{"ForeignKeyTo", "CREATE TABLE t(k BLOB REFERENCES users(key))", "foreign key"},
        Refusal{"TriggerThatRaises",
                "CREATE TRIGGER t BEFORE INSERT ON users WHEN length(new.value) > 99999"
                " BEGIN SELECT RAISE(ABORT, 'no'); END",
                "RAISE"},
        Refusal{"TriggerThatWritesRecords",
                "CREATE TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM users; END",
                "commit log"},
        Refusal{"TriggerThatWritesOurTables",
                "CREATE TRIGGER t AFTER DELETE ON users BEGIN DELETE FROM __switchback; END",
                "own"},
        Refusal{"TriggerThatFails",
                "CREATE TABLE t(a UNIQUE); CREATE TRIGGER r AFTER INSERT ON users BEGIN"
                " INSERT INTO t VALUES(1); END",
                "UNIQUE constraint failed"}),
    [](const auto& refusal) { return std::string(refusal.param.name); });

TEST_F(SqliteSchemaTest, AStatementThatRunsForeverIsInterrupted) {
  const SqlBudget budget{std::chrono::steady_clock::now() + std::chrono::milliseconds(50), {}};

  const auto stopped =
      Up("CREATE TABLE t(n); INSERT INTO t WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL"
         " SELECT n + 1 FROM r) SELECT n FROM r",
         "", budget);

  EXPECT_THAT(Refused(stopped, ErrorCode::kCancelled), HasSubstr("longer than it may"));
  EXPECT_EQ(Version(), 0u);
  Apply(EffectList().Put(users_, "ann", "1"));
}

TEST_F(SqliteSchemaTest, OnlyTheNextVersionHasItsTurn) {
  const auto skipped = store().ChangeSchema(
      {SchemaDirection::kUp, {2, "t", "u", "d", "now", ""}, "CREATE TABLE t(a)", "t"}, {});

  EXPECT_EQ(Refused(skipped, ErrorCode::kConflict).empty(), false);
}

TEST_F(SqliteSchemaTest, ATriggerThatFailsLaterIsSwitchedOffAndTheRecordIsKept) {
  ASSERT_TRUE(Up("CREATE TABLE seen(n CHECK (n < 1000)); CREATE TRIGGER t AFTER INSERT ON users"
                 " BEGIN INSERT INTO seen VALUES(length(new.value)); END;")
                  .has_value());
  Apply(EffectList().Put(users_, "dan", "1234"));
  EXPECT_EQ(One("SELECT sum(n) FROM seen"), "4");

  Apply(EffectList().Put(users_, "cyd", std::string(5000, 'x')));

  EXPECT_EQ(Value("cyd"), std::string(5000, 'x'));
  EXPECT_THAT(store().Validate({}).value().Problems(), HasSubstr("triggers"));
}

TEST_F(SqliteSchemaTest, ACopyIsWholeAndIsPutBackWithItsPosition) {
  ASSERT_TRUE(Up(kEmailColumn, kDropEmailColumn).has_value());
  const std::string copy = directory_.File("copies/one.sqlite");
  const StoreState before = backend_->State().value();
  ASSERT_TRUE(store().CopyTo(copy, {}).has_value());
  ASSERT_TRUE(Down().has_value());
  Apply(EffectList().Put(users_, "late", "1"));

  const auto back = store().PutBack(copy);

  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(backend_->State().value(), before);
  EXPECT_EQ(Value("late"), "(none)");
  EXPECT_EQ(Version(), 1u);
  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'a@x'"), "ann");
  EXPECT_EQ(One("SELECT 'x'"), "x");
  Apply(EffectList().Put(users_, "ann", "{"));
  EXPECT_TRUE(backend_->CheckAlone().has_value()) << "it is no foreign commit";
  EXPECT_TRUE(store().Validate({}).value().is_ok());
}

TEST_F(SqliteSchemaTest, ACopyThatFindsNoRoomLeavesNoFile) {
  const std::string copy = directory_.File("copies/one.sqlite");
  for (const char* failpoint : {"schema.space=nospace", "schema.copy=nospace"}) {
    ASSERT_TRUE(SetFailpoints(failpoint).has_value());

    EXPECT_EQ(store().CopyTo(copy, {}).error().code, ErrorCode::kNoSpace);

    EXPECT_TRUE(std::filesystem::is_empty(directory_.File("copies")));
  }
}

TEST_F(SqliteSchemaTest, ResetKeepsWhatMigrationsMade) {
  ASSERT_TRUE(Up(std::string(kEmailColumn) + "CREATE TABLE mine AS SELECT 7 AS n;").has_value());

  ASSERT_TRUE(backend_->Reset().has_value());

  EXPECT_EQ(backend_->State().value(), StoreState{});
  EXPECT_EQ(One("SELECT count(*) FROM users"), "0");
  EXPECT_EQ(One("SELECT n FROM mine"), "7");
  EXPECT_EQ(Version(), 1u);
  Apply(EffectList().Put(users_, "new", R"({"email":"n@x"})"));
  EXPECT_EQ(One("SELECT key FROM users WHERE email = 'n@x'"), "new");
}

TEST_F(SqliteSchemaTest, ResetRefusesWhatADownLeftBehind) {
  ASSERT_TRUE(Up("CREATE TABLE mine(a)", "").has_value());
  ASSERT_TRUE(Down().has_value());

  EXPECT_THAT(Refused(backend_->Reset()), HasSubstr("mine"));
}

TEST_F(SqliteSchemaTest, DetachRemovesTheVersionsAndLeavesTheColumns) {
  ASSERT_TRUE(Up(kEmailColumn).has_value());

  ASSERT_TRUE(backend_->Detach().has_value());

  backend_.reset();
  sqlite3* opened = nullptr;
  ASSERT_EQ(sqlite3_open(options_.path.c_str(), &opened), SQLITE_OK);
  const SqliteHandle db(opened);
  EXPECT_EQ(QuerySqliteText(db.get(), "SELECT key FROM users WHERE email = 'a@x'").value(), "ann");
  EXPECT_EQ(QuerySqliteText(db.get(), "SELECT group_concat(name) FROM sqlite_schema").value(),
            "users,users_email");
}

// --- Queries ---

TEST_F(SqliteSchemaTest, AQueryReadsAndNothingElse) {
  for (const char* sql :
       {"DELETE FROM users", "INSERT INTO users VALUES(x'01', x'02')", "DROP TABLE users",
        "CREATE TABLE t(a)", "CREATE TEMP TABLE t(a)", "ATTACH 'x' AS y", "PRAGMA journal_mode",
        "PRAGMA query_only = 0", "BEGIN", "SAVEPOINT x", "VACUUM", "SELECT load_extension('x')"}) {
    const auto result = Query(sql);
    ASSERT_FALSE(result.has_value()) << sql;
    EXPECT_EQ(result.error().code, ErrorCode::kRefused) << sql << ": " << result.error().message;
  }
  EXPECT_EQ(Value("ann"), R"({"email":"a@x"})");
  EXPECT_EQ(Query("UPDATE sqlite_master SET name = 'x'").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(One("SELECT count(*) FROM pragma_table_info('users')"), "2");
  EXPECT_EQ(One("SELECT sum(value) FROM json_each('[1,2]')"), "3");
}

TEST_F(SqliteSchemaTest, AQueryIsOneStatementWithItsParameters) {
  EXPECT_EQ(Query("SELECT 1; SELECT 2").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Query(" -- nothing").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Query("SELECT ?").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Query("SELEC 1").error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Query("SELECT 1; -- a comment").has_value());

  SqlQuery query;
  query.sql = "SELECT value FROM users WHERE key = :key AND 1.5 = @number";
  query.named = {{"key", SqlBlob{"bob"}}, {"number", 1.5}};
  const auto result = Query(query);

  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_EQ(result->rows.size(), 1u);
  EXPECT_EQ(std::get<SqlBlob>(result->rows[0][0]).bytes, "{");
  EXPECT_EQ(result->applied_sequence, sequence_);
}

TEST_F(SqliteSchemaTest, AQueryKeepsItsLimits) {
  SqlQuery query;
  query.sql = "SELECT key FROM users";
  query.row_count_max = 1;
  EXPECT_TRUE(Query(query)->is_truncated);
  query.row_count_max = 2;
  EXPECT_FALSE(Query(query)->is_truncated);
  query.sql = "SELECT zeroblob(100000)";
  query.result_bytes_max = 50'000;
  EXPECT_EQ(Query(query).error().code, ErrorCode::kTooLarge);
  query.sql =
      "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r";
  query.budget.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  EXPECT_EQ(Query(query).error().code, ErrorCode::kCancelled);
}

TEST_F(SqliteSchemaTest, ALongQueryMakesWayWhenTheStoreReopens) {
  std::atomic<bool> has_begun{false};
  Status outcome;
  std::thread reader([&] {
    SqlQuery query;
    query.sql =
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r";
    query.budget.is_cancelled = [&] {
      has_begun = true;
      return false;
    };
    auto result = Query(query);
    outcome = result ? Status() : Status(Fail(result.error()));
  });
  while (!has_begun) std::this_thread::yield();

  EXPECT_TRUE(backend_->Reopen().has_value());

  reader.join();
  EXPECT_EQ(Refused(outcome, ErrorCode::kBusy), "the store is being reopened: ask again");
}

// --- Words ---

TEST(SqlText, WordsAreFoundOutsideOfStringsNamesAndComments) {
  EXPECT_TRUE(HasSqlWord("a check (b)", "CHECK"));
  EXPECT_FALSE(
      HasSqlWord("'check' \"check\" [check] `check` -- check\n /* check */ checked", "CHECK"));
  EXPECT_TRUE(HasSqlCall("x, Date /* c */ (1)", "date"));
  EXPECT_FALSE(HasSqlCall("date, 'date(' update(1)", "date"));
}

}  // namespace
}  // namespace switchback
