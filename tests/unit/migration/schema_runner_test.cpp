// Schema versions on a whole service over LMDB and SQLite.
#include "migration/schema/schema_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/log.hpp"
#include "migration/schema/sql_queries.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kEmailUp =
    "ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(CAST(value "
    "AS"
    " TEXT)) THEN json_extract(CAST(value AS TEXT), '$.email') END) VIRTUAL;"
    "CREATE INDEX users_email ON users(email);";
constexpr const char* kEmailDown = "DROP INDEX users_email; ALTER TABLE users DROP COLUMN email;";

class SchemaRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    SetLogLevel(LogLevel::kError);
    Open();
    Put("ann", R"({"email":"a@x"})");
    AddVersion(1, kEmailUp, kEmailDown);
  }
  void Open() {
    queries_.reset();
    runner_.reset();
    journal_.reset();
    service_.reset();
    DbServiceOptions options;
    options.data_dir = dir_.File("data");
    service_ = Must(DbService::Open(options));
    journal_ = Must(Journal::Open(dir_.File("control.sqlite"), SystemClock()));
    SchemaRunnerOptions schema;
    schema.directory = dir_.File("schema");
    schema.copies_directory = dir_.File("copies");
    schema.copy_count_max = 2;
    schema.time_max = time_max_;
    runner_ = std::make_unique<SchemaRunner>(*service_, *journal_, SystemClock(), schema);
    queries_ = std::make_unique<SqlQueries>(*service_);
  }
  void AddVersion(int version, const std::string& up, const std::string& down) {
    std::filesystem::create_directories(dir_.File("schema"));
    const std::string base = dir_.File("schema/" + std::to_string(version) + "_v");
    std::ofstream(base + ".up.sql") << up;
    std::ofstream(base + ".down.sql") << down;
  }
  void Put(const std::string& key, const std::string& value) {
    Must(service_->Put(*Must(service_->catalog().Intern("users")), key, value));
  }
  Result<SchemaOutcome> Run(SchemaGoalKind kind, std::uint64_t number) {
    return runner_->Run({{kind, number}, "tester", "a test"});
  }
  SchemaOutcome Up() { return Must(Run(SchemaGoalKind::kUp, 0)); }
  std::string KeyOf(const std::string& email) {
    SqlQuery query;
    query.sql = "SELECT key FROM users WHERE email = ?";
    query.positional = {email};
    const auto result = queries_->Run(query, kQueryTimeDefault, true);
    if (!result) return result.error().message;
    return result->rows.empty() ? "(none)" : std::get<SqlBlob>(result->rows[0][0]).bytes;
  }
  OperationRecord LastOperation() { return Must(journal_->Operations("schema", 1)).at(0); }

  TempDir dir_;
  std::chrono::milliseconds time_max_{60'000};
  std::unique_ptr<DbService> service_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<SchemaRunner> runner_;
  std::unique_ptr<SqlQueries> queries_;
  ScopedFailpoints failpoints_;
};

TEST_F(SchemaRunnerTest, UpAppliesWithACopyAndWritesIntoTheJournal) {
  const SchemaOutcome outcome = Up();

  EXPECT_FALSE(outcome.error.has_value());
  EXPECT_EQ(outcome.version, 1u);
  ASSERT_THAT(outcome.steps, SizeIs(1));
  EXPECT_EQ(outcome.steps[0].status, "done");
  EXPECT_TRUE(std::filesystem::exists(outcome.steps[0].copy));
  EXPECT_TRUE(outcome.report.is_ok()) << outcome.report.Problems();
  EXPECT_EQ(KeyOf("a@x"), "ann");
  const OperationRecord record = LastOperation();
  EXPECT_EQ(record.status, "done");
  EXPECT_EQ(record.actor, "tester");
  EXPECT_EQ(record.reason, "a test");
  EXPECT_THAT(record.detail, HasSubstr("foreign_keys_clean"));
  EXPECT_THAT(record.steps, SizeIs(1));
}

TEST_F(SchemaRunnerTest, AQuerySeesWhatWasAcknowledgedBeforeIt) {
  Up();
  for (int i = 0; i < 50; ++i) {
    const std::string name = "u" + std::to_string(i);
    Put(name, R"({"email":")" + name + R"(@x"})");
    EXPECT_EQ(KeyOf(name + "@x"), name);
  }
}

TEST_F(SchemaRunnerTest, WritesGoOnDuringMigrations) {
  AddVersion(2,
             "CREATE TABLE mine(a); INSERT INTO mine WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL"
             " SELECT n + 1 FROM r WHERE n < 300000) SELECT n FROM r;",
             "DROP TABLE mine");
  std::atomic<bool> is_over{false};
  std::atomic<int> failures{0};
  std::atomic<int> writes{0};
  std::thread writer([&] {
    const Collection& users = *Must(service_->catalog().Intern("users"));
    auto session = service_->NewSession();
    for (int i = 0; !is_over; ++i) {
      const std::string key = "w" + std::to_string(i % 100);
      const std::string value = i % 3 == 0 ? "{" : R"({"email":"w@x"})";
      if (!service_->Put(users, key, value)) ++failures;
      const auto read = session->Get(users, key);
      if (!read || !*read || **read != value) ++failures;
      session->EndTurn();
      ++writes;
    }
  });
  while (writes == 0) std::this_thread::yield();

  const SchemaOutcome up = Up();
  const SchemaOutcome down = Must(Run(SchemaGoalKind::kTo, 0));
  is_over = true;
  writer.join();

  EXPECT_EQ(up.version, 2u);
  EXPECT_EQ(down.version, 0u);
  EXPECT_EQ(failures, 0);
  EXPECT_GT(writes, 1);
  EXPECT_TRUE(IsOk(service_->Drain(std::chrono::seconds(30))));
}

TEST_F(SchemaRunnerTest, AFailureLeavesTheVersionsBeforeIt) {
  AddVersion(2, "CREATE TABLE t(a);\nINSERT INTO nowhere VALUES(1)", "");

  const SchemaOutcome outcome = Up();

  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_THAT(outcome.error->message, HasSubstr("2_v.up.sql:2: INSERT INTO nowhere"));
  EXPECT_EQ(outcome.version, 1u);
  EXPECT_EQ(LastOperation().status, "failed");
  EXPECT_EQ(KeyOf("a@x"), "ann");
}

TEST_F(SchemaRunnerTest, NothingToDoIsNoOperation) {
  Up();

  EXPECT_EQ(Up().operation, 0);
}

TEST_F(SchemaRunnerTest, WithoutACopyNoMigration) {
  for (const char* failpoint : {"schema.space=nospace", "schema.copy=error"}) {
    failpoints_.Set(failpoint);

    const SchemaOutcome outcome = Up();

    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_THAT(outcome.error->message, HasSubstr("no migration without a safety copy"));
    EXPECT_EQ(outcome.version, 0u);
  }
}

TEST_F(SchemaRunnerTest, TheCopyIsPutBackWhenValidationFails) {
  failpoints_.Set("schema.validate=error");
  Put("bob", "{");

  const SchemaOutcome outcome = Up();

  failpoints_.Set("");
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_THAT(outcome.error->message, HasSubstr("put back"));
  EXPECT_EQ(outcome.version, 0u);
  EXPECT_EQ(outcome.steps.at(0).status, "undone");
  EXPECT_EQ(Must(runner_->GetStatus()).version, 0u);
  Put("cyd", R"({"email":"c@x"})");
  EXPECT_TRUE(IsOk(service_->Drain(std::chrono::seconds(30))));
  EXPECT_EQ(Up().version, 1u);
  EXPECT_EQ(KeyOf("c@x"), "cyd");
  EXPECT_EQ(service_->GetStatus().followers[Index(Role::kUnified)].apply_failures, 0u);
}

TEST_F(SchemaRunnerTest, AnUnknownCommitIsSettledByAskingTheStore) {
  Must(service_->Drain(std::chrono::seconds(30)));
  failpoints_.Set("sqlite.committed=error@1");
  EXPECT_EQ(Up().version, 1u);
  EXPECT_EQ(KeyOf("a@x"), "ann");
}

TEST_F(SchemaRunnerTest, ACommitThatFailedIsNotTakenForOne) {
  Must(service_->Drain(std::chrono::seconds(30)));
  failpoints_.Set("sqlite.commit=error@1");

  const SchemaOutcome outcome = Up();

  EXPECT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.version, 0u);
  EXPECT_EQ(Up().version, 1u);
}

TEST_F(SchemaRunnerTest, AMigrationThatTakesTooLongIsUndone) {
  time_max_ = std::chrono::milliseconds(300);
  Open();
  AddVersion(2,
             "CREATE TABLE t AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
             " SELECT n FROM r",
             "");

  const SchemaOutcome outcome = Up();

  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code, ErrorCode::kCancelled);
  EXPECT_EQ(outcome.version, 1u);
}

TEST_F(SchemaRunnerTest, EditedFilesAndOlderFilesAreRefused) {
  AddVersion(2, "CREATE TABLE t(a)", "DROP TABLE t");
  Up();
  AddVersion(2, "CREATE TABLE t(a, b)", "DROP TABLE t");
  EXPECT_TRUE(FailsWith(Run(SchemaGoalKind::kDown, 1), ErrorCode::kRefused));
  for (const char* file : {"schema/2_v.up.sql", "schema/2_v.down.sql"})
    std::filesystem::remove(dir_.File(file));

  EXPECT_TRUE(FailsWith(Run(SchemaGoalKind::kUp, 0), ErrorCode::kRefused));
  EXPECT_EQ(Must(Run(SchemaGoalKind::kTo, 1)).version, 1u) << "down by what the store remembers";
}

TEST_F(SchemaRunnerTest, OneOperationAtATime) {
  AddVersion(2, "CREATE TABLE t(a)", "");
  failpoints_.Set("schema.changed=delay:500");
  std::thread first([&] { EXPECT_EQ(Up().version, 2u); });
  while (Must(runner_->GetStatus()).running.find("up 0001") == std::string::npos)
    std::this_thread::yield();

  const auto second = Run(SchemaGoalKind::kUp, 0);

  EXPECT_TRUE(FailsWith(second, ErrorCode::kConflict));
  EXPECT_THAT(second.error().message, HasSubstr("operation 1"));
  first.join();
}

TEST_F(SchemaRunnerTest, OnlyTheNewestCopiesAreKept) {
  for (int round = 0; round < 3; ++round) {
    Up();
    Must(Run(SchemaGoalKind::kTo, 0));
  }
  const auto status = Must(runner_->GetStatus());

  EXPECT_THAT(status.copies, SizeIs(2));
}

TEST_F(SchemaRunnerTest, AnInterruptedOperationIsClosedByWhatTheStoreSays) {
  Up();
  const std::int64_t done = Must(journal_->BeginOperation("schema", "a", ""));
  Must(journal_->Store("schema.running",
                       "{\"operation\":" + std::to_string(done) + ",\"from\":0,\"to\":1}"));
  runner_->CloseInterrupted();
  EXPECT_EQ(LastOperation().status, "done");

  const std::int64_t cut = Must(journal_->BeginOperation("schema", "a", ""));
  Must(journal_->Store("schema.running",
                       "{\"operation\":" + std::to_string(cut) + ",\"from\":1,\"to\":2}"));
  runner_->CloseInterrupted();
  EXPECT_EQ(LastOperation().status, "failed");
  EXPECT_THAT(LastOperation().detail, HasSubstr("interrupted: the store has version 1"));
}

TEST_F(SchemaRunnerTest, ValidateIsAnOperationOfItsOwn) {
  const SchemaOutcome outcome = Must(runner_->Validate("tester", ""));

  EXPECT_FALSE(outcome.error.has_value());
  EXPECT_THAT(outcome.report.checks, SizeIs(testing::Ge(7)));
  EXPECT_EQ(LastOperation().status, "done");
}

TEST_F(SchemaRunnerTest, VersionsSurviveARestartAndTheWholeServiceGoesOn) {
  Up();
  Open();

  EXPECT_EQ(Must(runner_->GetStatus()).version, 1u);
  Put("bob", R"({"email":"b@x"})");
  EXPECT_EQ(KeyOf("b@x"), "bob");
}

TEST_F(SchemaRunnerTest, AStopRefusesWhatComes) {
  runner_->Stop();

  EXPECT_TRUE(FailsWith(Run(SchemaGoalKind::kUp, 0), ErrorCode::kCancelled));
}

}  // namespace
}  // namespace switchback::test
