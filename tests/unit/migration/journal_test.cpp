#include "migration/journal.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_ok.hpp"
#include "tests/support/shifted_clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<Journal> Open() { return Must(Journal::Open(path_, clock_)); }

  TempDir dir_;
  ShiftedClock clock_;
  const std::string path_ = dir_.File("control.sqlite");
};

TEST_F(JournalTest, KeepsDocumentsAcrossAReopening) {
  Must(Open()->Store("migration", R"({"phase":"copy"})"));

  auto journal = Open();

  EXPECT_EQ(Must(journal->Load("migration")), R"({"phase":"copy"})");
  EXPECT_EQ(Must(journal->Load("other")), std::nullopt);
}

TEST_F(JournalTest, StoreReplacesAndRemoveForgets) {
  auto journal = Open();
  Must(journal->Store("a", "1"));
  Must(journal->Store("a", "2"));
  EXPECT_EQ(Must(journal->Load("a")), "2");

  Must(journal->Remove("a"));

  EXPECT_EQ(Must(journal->Load("a")), std::nullopt);
}

TEST_F(JournalTest, TellsAListenerOfEachBeginningAndEnd) {
  auto journal = Open();
  std::vector<std::string> heard;
  journal->SetListener([&](const OperationRecord& operation) {
    heard.push_back(operation.kind + " " + operation.status);
    for (const OperationStep& step : operation.steps)
      heard.back() += ": " + step.name + " " + step.status;
  });

  const auto id = Must(journal->BeginOperation("schema", "ada", ""));
  Must(journal->BeginStep(id, "up 1"));
  Must(journal->EndStep(id, "up 1", "done", ""));
  Must(journal->EndOperation(id, "failed", "{}"));
  Must(journal->EndOperation(id + 1, "done", "{}"));  // there is none

  EXPECT_EQ(heard, (std::vector<std::string>{"schema running", "schema running: up 1 running",
                                             "schema running: up 1 done", "schema failed"}));
}

TEST_F(JournalTest, AnOperationKeepsItsStepsInOrder) {
  auto journal = Open();
  const auto id = Must(journal->BeginOperation("migration-rollback", "ada", "too slow"));
  Must(journal->BeginStep(id, "stop the copy"));
  Must(journal->EndStep(id, "stop the copy", "done", ""));
  Must(journal->BeginStep(id, "clear"));
  Must(journal->EndStep(id, "clear", "failed", "disk"));
  Must(journal->BeginStep(id, "clear"));  // repeated after a crash

  const auto operations = Must(journal->Operations("migration-rollback", 10));

  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].actor, "ada");
  EXPECT_EQ(operations[0].status, "running");
  ASSERT_EQ(operations[0].steps.size(), 2u);
  EXPECT_EQ(operations[0].steps[0].name, "stop the copy");
  EXPECT_EQ(operations[0].steps[1].name, "clear");
  EXPECT_EQ(operations[0].steps[1].status, "running");
  EXPECT_EQ(operations[0].steps[1].detail, "");
}

TEST_F(JournalTest, OperationsComeNewestFirstAndByKind) {
  auto journal = Open();
  const auto first = Must(journal->BeginOperation("verify", "ada", ""));
  Must(journal->EndOperation(first, "done", R"({"records":1})"));
  const auto second = Must(journal->BeginOperation("schema", "ada", ""));

  const auto all = Must(journal->Operations("", 10));
  const auto verifies = Must(journal->Operations("verify", 10));

  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, second);
  ASSERT_EQ(verifies.size(), 1u);
  EXPECT_EQ(verifies[0].status, "done");
  EXPECT_EQ(verifies[0].detail, R"({"records":1})");
  EXPECT_FALSE(verifies[0].ended_at.empty());
}

TEST_F(JournalTest, FindingsAreOneARecordAndPaged) {
  auto journal = Open();
  const std::string binary("\0\xff", 2);
  const std::vector<Finding> findings{{"a", "1", "{}"}, {"a", binary, "{}"}, {"b", "1", "{}"}};
  Must(journal->AddFindings("verify", findings));
  Must(journal->AddFindings("verify", findings));
  Must(journal->AddFindings("invalid", std::vector<Finding>{{"a", "1", "{}"}}));

  EXPECT_EQ(Must(journal->CountFindings("verify")), 3u);
  const auto page = Must(journal->Findings("verify", "", "", 2));
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].key, binary);
  const auto rest = Must(journal->Findings("verify", page[1].collection, page[1].key, 2));
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].collection, "b");

  Must(journal->RemoveFinding("verify", "a", binary));
  EXPECT_EQ(Must(journal->CountFindings("verify")), 2u);
  Must(journal->ClearFindings("verify"));
  EXPECT_EQ(Must(journal->CountFindings("verify")), 0u);
  EXPECT_EQ(Must(journal->CountFindings("invalid")), 1u);
}

TEST_F(JournalTest, TheAuditTrailNamesWhoDidWhat) {
  auto journal = Open();
  Must(journal->Audit("ada", "allow-unverified", "25 %"));

  const auto trail = Must(journal->AuditTrail(10));

  ASSERT_EQ(trail.size(), 1u);
  EXPECT_EQ(trail[0].actor, "ada");
  EXPECT_EQ(trail[0].action, "allow-unverified");
}

TEST_F(JournalTest, AJournalOfANewerVersionIsRefused) {
  Must(Open()->Store("a", "1"));
  {
    auto db = Must(OpenSqliteDurable(path_));
    Must(ExecuteSqlite(db.get(), "PRAGMA user_version=3"));
  }

  const auto journal = Journal::Open(path_, clock_);

  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace switchback::test
