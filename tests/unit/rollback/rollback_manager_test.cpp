#include "rollback/rollback_manager.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "rollback/guard/start_watch.hpp"
#include "rollback/latches.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

namespace fs = std::filesystem;
using test::FailsWith;
using test::IsOk;
using test::Must;

class RollbackManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    for (int i = 0; i < 50; ++i) Must(world_.Put("users", std::to_string(i), "v"));
    world_.Drain();
    flags_path_ = world_.path() + "/flags.json";
    WriteFlags(R"({"USE_UNIFIED_DB_SERVICE": true})");
    Open();
    manager_->OnFlags(*world_.service->flags().Current());
  }
  void WriteFlags(const std::string& content) {
    std::ofstream(flags_path_) << content;
    Must(Reload());
  }
  // What the watcher does.
  Status Reload() {
    auto flags = LoadFlagFile(flags_path_);
    if (!flags) return Fail(flags.error());
    auto snapshot = std::make_shared<FlagSnapshot>();
    snapshot->revision = snapshot->load_count = ++loads_;
    snapshot->flags = *std::move(flags);
    world_.service->flags().Publish(snapshot);
    (void)world_.service->JudgeFlags();
    if (manager_) manager_->OnFlags(*snapshot);
    return {};
  }
  void Open() {
    manager_.reset();
    latch_ = OpenRoutingLatch(world_.path(), *world_.service, SystemClock());
    if (!journal_) journal_ = Must(Journal::Open(world_.path() + "/control.sqlite", SystemClock()));
    RollbackOptions options;
    options.flags_path = flags_path_;
    options.evidence_directory = world_.path() + "/evidence";
    options.reload_flags = [this] { return Reload(); };
    options.collect_evidence = [] { return std::vector<EvidenceFile>{{"status.json", "{}\n"}}; };
    manager_ = RollbackManager::Open(*world_.service, *journal_, *latch_, SystemClock(), options);
    manager_->Start();
  }
  RollbackStatus Ended() {
    manager_->Flush();
    return *manager_->GetStatus();
  }
  OperationRecord Newest(const char* kind) { return Must(journal_->Operations(kind, 1)).at(0); }
  double effective() { return world_.service->GetStatus().routing.effective_percentage; }
  std::string Flags() { return Must(ReadWholeFile(flags_path_, 1000)); }

  test::ServiceWorld world_;
  std::string flags_path_;
  std::uint64_t loads_ = 0;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Latch> latch_;
  std::unique_ptr<RollbackManager> manager_;
};

TEST_F(RollbackManagerTest, AnOperatorsWordCountsAtOnceAndEndsInTheFile) {
  ASSERT_EQ(effective(), 100);
  const RollbackAnswer answer =
      Must(manager_->RollBack("ann", "too slow", std::chrono::milliseconds(0)));
  EXPECT_EQ(effective(), 0);
  EXPECT_EQ(answer.percentage_before, 100);

  const RollbackStatus status = Ended();
  EXPECT_EQ(status.final_status, "SUCCESS") << (status.errors.empty() ? "" : status.errors[0]);
  EXPECT_EQ(status.stage, "COMPLETED");
  ASSERT_TRUE(status.validation);
  EXPECT_EQ(status.validation->checks.size(), 5u);
  EXPECT_FALSE(latch_->Current()) << "the file says so now";
  EXPECT_NE(Flags().find("false"), std::string::npos);
  EXPECT_EQ(effective(), 0);
  const OperationRecord record = Newest(kFlagRollback);
  EXPECT_EQ(record.actor, "ann");
  EXPECT_EQ(record.reason, "too slow");
  EXPECT_EQ(record.status, "done");
  EXPECT_EQ(record.steps.size(), 3u);
  EXPECT_NE(record.detail.find("\"final_status\":\"SUCCESS\""), std::string::npos);
  const auto bundles = ListEvidence(world_.path() + "/evidence");
  ASSERT_EQ(bundles.size(), 1u);
  EXPECT_EQ(bundles[0], status.evidence);
  EXPECT_TRUE(fs::exists(world_.path() + "/evidence/" + bundles[0] + "/rollback.json"));
  EXPECT_GT(fs::file_size(world_.path() + "/evidence/" + bundles[0] + ".tar.zst"), 0u);
}

TEST_F(RollbackManagerTest, AFileThatCannotBeChangedLeavesTheLatch) {
  fs::remove(flags_path_);
  fs::create_directory(flags_path_);
  Must(manager_->RollBack("ann", "", std::chrono::milliseconds(0)));
  const RollbackStatus status = Ended();
  EXPECT_EQ(status.final_status, "PARTIAL");
  ASSERT_EQ(status.errors.size(), 1u);
  EXPECT_NE(status.errors[0].find("rearm"), std::string::npos);
  EXPECT_TRUE(latch_->Current());
  EXPECT_EQ(effective(), 0);
}

TEST_F(RollbackManagerTest, WhatACrashInterruptsGoesOnAtTheNextStart) {
  {
    const test::ScopedFailpoints failpoints("rollback.flags=error;evidence.write=error");
    Must(manager_->RollBack("ann", "", std::chrono::milliseconds(0)));
    EXPECT_EQ(Ended().final_status, "PARTIAL");
    Must(journal_->BeginOperation(kFlagRollback, "ann", "cut short"));
  }
  manager_.reset();
  world_.Reopen();
  Must(Reload());
  Open();
  EXPECT_EQ(effective(), 0);
  EXPECT_EQ(Ended().final_status, "SUCCESS");
  EXPECT_FALSE(latch_->Current());
  EXPECT_NE(Flags().find("false"), std::string::npos);
  for (const OperationRecord& record : Must(journal_->Operations(kFlagRollback, 10)))
    EXPECT_NE(record.status, "running");
}

TEST_F(RollbackManagerTest, LegacyThatIsNotInSyncIsSaidAndNothingIsChanged) {
  world_.legacy->SetHook([](test::FaultyStore::Call call) {
    return call == test::FaultyStore::Call::kState ? Status{} : Fail(ErrorCode::kIo, "no disk");
  });
  Must(world_.Put("users", "a", "1"));
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kFailed));
  const RollbackCheck check = manager_->Check();
  EXPECT_FALSE(check.can_roll_back);
  EXPECT_NE(check.reason.find("no disk"), std::string::npos) << check.reason;
  EXPECT_TRUE(
      FailsWith(manager_->RollBack("ann", "", std::chrono::milliseconds(5)), ErrorCode::kRefused));
  EXPECT_FALSE(latch_->Current());
  EXPECT_EQ(effective(), 100);
}

TEST_F(RollbackManagerTest, ATripIsRecordedAndItsFileLeftAlone) {
  const Latched latched = Must(latch_->Engage(kLatchByGuard, "errors", "{}"));
  GuardTrip trip;
  trip.reason = "7 of 10 failed";
  manager_->OnTrip(trip, latched);
  const RollbackStatus status = Ended();
  EXPECT_EQ(status.final_status, "SUCCESS");
  EXPECT_EQ(Newest(kFlagRollback).actor, "guard");
  EXPECT_NE(Flags().find("true"), std::string::npos);
  EXPECT_TRUE(latch_->Current());
}

TEST_F(RollbackManagerTest, AnEditOfTheFileIsARollbackToo) {
  WriteFlags(R"({"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 10}})");
  manager_->Flush();
  EXPECT_FALSE(manager_->GetStatus()) << "some keys still go to unified";
  WriteFlags(R"({"USE_UNIFIED_DB_SERVICE": false})");
  EXPECT_EQ(Ended().final_status, "SUCCESS");
  EXPECT_EQ(Newest(kFlagRollback).actor, "flags file");
}

TEST_F(RollbackManagerTest, ValidationFindsWhatDiffersAndLeavesNothingBehind) {
  manager_->Validate("ann");
  EXPECT_EQ(Ended().final_status, "SUCCESS");
  const auto before = world_.Scan("users");
  world_.Drain();
  EXPECT_EQ(world_.Stored(Role::kLegacy), world_.Stored(Role::kUnified));
  EXPECT_EQ(before.size(), 50u);

  world_.unified->FailGets(true);
  world_.legacy->FailGets(true);
  manager_->Validate("ann");
  const RollbackStatus status = Ended();
  EXPECT_EQ(status.final_status, "FAILED");
  EXPECT_EQ(status.kind, kValidation);
}

TEST(Evidence, TheNewestStay) {
  const test::TempDir dir;
  for (std::size_t i = 0; i < kEvidenceCountMax + 3; ++i)
    Must(WriteEvidence(dir.path(), "2026-" + std::to_string(100 + i), {{"a", "b"}}));
  const auto names = ListEvidence(dir.path());
  ASSERT_EQ(names.size(), kEvidenceCountMax);
  EXPECT_EQ(names.front(), "2026-122");
  EXPECT_FALSE(fs::exists(dir.File("2026-100.tar.zst")));

  const test::ScopedFailpoints failpoints("evidence.write=nospace");
  EXPECT_TRUE(FailsWith(WriteEvidence(dir.path(), "new", {}), ErrorCode::kNoSpace));
  EXPECT_FALSE(fs::exists(dir.File("new")));
}

class StartWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    Must(world_.Flip(100));
    latch_ = OpenRoutingLatch(world_.path(), *world_.service, clock_);
  }
  std::unique_ptr<StartWatch> Begin(bool is_flag_on = true) {
    auto watch = std::make_unique<StartWatch>(*journal_, *latch_, clock_, GuardSettings{});
    watch->Begin(is_flag_on);
    return watch;
  }
  test::ServiceWorld world_;
  test::ShiftedClock clock_;
  const test::TempDir dir_;
  const std::unique_ptr<Journal> journal_ =
      Must(Journal::Open(dir_.File("control.sqlite"), SystemClock()));
  std::unique_ptr<Latch> latch_;
};

TEST_F(StartWatchTest, ThreeCrashesInARowComeUpOnLegacy) {
  for (int start = 0; start < 3; ++start) {
    Begin();
    EXPECT_FALSE(latch_->Current()) << start;
  }
  Begin();
  ASSERT_TRUE(latch_->Current());
  EXPECT_EQ(latch_->Current()->cause, kLatchByCrashLoop);
  EXPECT_EQ(world_.service->GetStatus().routing.effective_percentage, 0);
  Must(latch_->Release(latch_->Current()->id));
  Begin();
  EXPECT_FALSE(latch_->Current()) << "they count anew";
}

TEST_F(StartWatchTest, StartsThatLiveOrStopCleanlyOrHaveTheFlagOffDoNotCount) {
  for (int start = 0; start < 8; ++start) {
    const auto watch = Begin(start % 3 != 2);
    if (start % 3 == 0) {
      clock_.Advance(std::chrono::minutes(1));
      watch->Look();
    }
    if (start % 3 == 1) watch->End();
  }
  EXPECT_FALSE(latch_->Current());
}

}  // namespace
}  // namespace switchback
