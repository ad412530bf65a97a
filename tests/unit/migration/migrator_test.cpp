#include "migration/migrator.hpp"

#include <gtest/gtest.h>

#include "fill_world.hpp"
#include "tests/support/expect_ok.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/temp_dir.hpp"

namespace switchback::test {
namespace {

// A service of which only what the migrator asks for works. The test plays the follower.
class FakeService : public DbService {
 public:
  std::function<Status()> flip_gate;
  FakeService() {
    status.followers[Index(Role::kLegacy)].state = FollowerState::kInSync;
    status.followers[Index(Role::kUnified)].state = FollowerState::kDetached;
  }
  FollowerStatus& unified() { return status.followers[Index(Role::kUnified)]; }
  FollowerStatus& legacy() { return status.followers[Index(Role::kLegacy)]; }

  Status RunOnStore(Role /*role*/, StoreTask /*task*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Result<std::string> RetireLegacy(std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  Status ForgetStore(Role /*role*/, const std::string& reason,
                     std::chrono::milliseconds /*wait_max*/) override {
    if (clear_error) return Fail(*clear_error);
    steps.push_back("forget");
    unified().state = FollowerState::kDetached;
    unified().is_fill_under_way = false;
    unified().reason = reason;
    return {};
  }
  Status ClearStore(Role /*role*/, const std::string& /*reason*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    steps.push_back("clear");
    SB_RETURN_IF_ERROR(world.target->Reset());
    return {};
  }
  void SetFlipGate(std::function<Status()> gate) override { flip_gate = std::move(gate); }
  Status StartFill(Role target, FillMode mode, std::unique_ptr<FillSource> source) override {
    EXPECT_EQ(target, Role::kUnified);
    if (fill_error) return Fail(*fill_error);
    started_mode = mode;
    fill = std::move(source);
    unified().state = FollowerState::kBackfilling;
    unified().is_fill_under_way = true;
    return {};
  }
  FillAccess& fill_access() override { return world; }
  ServiceStatus GetStatus() override { return status; }
  CollectionCatalog& catalog() override { return world.catalog(); }

  Status Close() override { return {}; }
  FlagStore& flags() override { return flags_; }
  Status JudgeFlags() override { return {}; }
  Status MayApply(const FlagRule&) override { return {}; }
  std::unique_ptr<Session> NewSession() override { return nullptr; }
  void Submit(WriteOp&) override {}
  Status Write(const std::function<Status(Transaction&)>&) override { return {}; }
  std::unique_ptr<WatchSet> NewWatchSet() override { return nullptr; }
  Result<std::vector<std::string>> CollectionNames() override { return std::vector<std::string>{}; }
  Status Drain(std::chrono::milliseconds) override { return {}; }
  Status Detach(bool) override { return {}; }
  Status AcceptForeignLegacy() override { return {}; }
  MetricsSnapshot GetMetrics() override { return {}; }

  FillWorld world;
  ServiceStatus status;
  std::optional<Error> fill_error;
  std::optional<Error> clear_error;
  std::vector<std::string> steps;
  std::optional<FillMode> started_mode;
  std::unique_ptr<FillSource> fill;

 private:
  FlagStore flags_;
};

class MigratorTest : public ::testing::Test {
 protected:
  // A target as it is before its first fill.
  void MakeTargetNew() {
    StoreState state;
    FillWorld::Must(service_.world.target->Apply({}, state));
  }
  void PutIntoTarget(const std::string& key) {
    const std::string name = "a";
    const Collection* collection = *service_.world.catalog().Intern(name);
    const Effect effect{EffectKind::kPut, collection, key, "value"};
    FillWorld::Must(
        service_.world.target->Apply({&effect, 1}, service_.world.target_store->State()));
  }
  void MakeRecords(int count) {
    for (int i = 0; i < count; ++i)
      service_.world.Write({PutOf("a", std::to_string(100 + i), "v")});
  }
  // One step as the follower makes it.
  Status Step() {
    auto step = service_.fill->Next(service_.world.target_store->State());
    if (!step) return Fail(step.error());
    clock_.elapsed += std::chrono::seconds(1);
    SB_RETURN_IF_ERROR(service_.world.target->Apply(step->effects, step->state));
    service_.fill->Committed();
    if (!step->state.is_filling) {
      service_.unified().state = FollowerState::kCatchingUp;
      service_.unified().is_fill_under_way = false;
    }
    return {};
  }
  // A process that begins, with what the journal holds.
  Migrator& NewMigrator(std::size_t chunk = 10) {
    migrator_.reset();
    MigratorOptions options = options_;
    options.backfill.chunk_record_count_max = chunk;
    options.read_machine = [this](const std::string&) { return machine_; };
    migrator_ = test::Must(Migrator::Open(service_, *journal_, clock_, options));
    return *migrator_;
  }
  Status StartUnified(Migrator& migrator) { return migrator.Start({.actor = "ada"}); }
  // Begins a fill of 30 records in chunks of 10, and makes one step.
  Migrator& BeginFill() {
    MakeRecords(30);
    Migrator& migrator = NewMigrator();
    EXPECT_TRUE(StartUnified(migrator).has_value());
    FillWorld::Must(Step());
    return migrator;
  }
  // The same, to its end: the target is in sync.
  Migrator& FinishFill() {
    Migrator& migrator = BeginFill();
    FillWorld::Must(Step());
    FillWorld::Must(Step());
    service_.unified().state = FollowerState::kInSync;
    migrator.Tick();
    return migrator;
  }
  void Pass(std::chrono::milliseconds time) { clock_.elapsed += time; }

  TempDir dir_;
  SettableClock clock_;
  const std::unique_ptr<Journal> journal_ =
      test::Must(Journal::Open(dir_.File("control.sqlite"), clock_));
  MigratorOptions options_;
  MachineReading machine_{.disk_free_bytes = 1ull << 40};
  FakeService service_;
  std::unique_ptr<Migrator> migrator_;
};

TEST_F(MigratorTest, BeforeAnyFillThereIsNoneAndFlippingNeedsOne) {
  MakeTargetNew();
  Migrator& migrator = NewMigrator();

  const MigrationStatus status = migrator.GetStatus();

  EXPECT_EQ(status.state, "none");
  EXPECT_FALSE(status.can_flip);
  EXPECT_NE(status.can_flip_reason.find("switchback migrate start"), std::string::npos);
}

TEST_F(MigratorTest, FillOfANewTargetBeginsFromScratchAndReportsProgress) {
  MakeTargetNew();
  MakeRecords(30);
  Migrator& migrator = NewMigrator();

  ASSERT_TRUE(StartUnified(migrator).has_value());
  EXPECT_EQ(service_.started_mode, FillMode::kFromScratch);
  StoreState begun;
  begun.log_id = "log-1";
  begun.is_filling = true;
  FillWorld::Must(service_.world.target->Apply({}, begun));
  FillWorld::Must(Step());

  MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.records_total, 30u);
  EXPECT_EQ(status.records_done, 10u);
  EXPECT_EQ(status.current_collection, "a");
  EXPECT_EQ(status.started_at, "1970-01-01T00:00:01Z");
  EXPECT_EQ(status.actor, "ada");
  EXPECT_DOUBLE_EQ(status.records_per_second, 10.0);
  EXPECT_DOUBLE_EQ(*status.eta_seconds, 2.0);
  EXPECT_FALSE(status.can_flip);
  FillWorld::Must(Step());
  FillWorld::Must(Step());

  status = migrator.GetStatus();
  EXPECT_EQ(status.state, "running");  // it has yet to catch up
  EXPECT_LT(status.percent, 100.0);
  EXPECT_NE(status.can_flip_reason.find("catching-up"), std::string::npos);

  service_.unified().state = FollowerState::kInSync;
  migrator.Tick();
  status = migrator.GetStatus();
  EXPECT_EQ(status.state, "complete");
  EXPECT_EQ(status.percent, 100.0);
  EXPECT_EQ(status.records_done, 30u);
  EXPECT_FALSE(status.can_flip);
  EXPECT_NE(status.can_flip_reason.find("has not been verified"), std::string::npos);
}

TEST_F(MigratorTest, RefusesWhenTheTargetIsInSyncAlready) {
  service_.unified().state = FollowerState::kInSync;
  Migrator& migrator = NewMigrator();

  const Status started = StartUnified(migrator);

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_FALSE(service_.started_mode.has_value());
}

TEST_F(MigratorTest, RefusesWhenTheSourceIsNotInSyncAndSaysWhy) {
  service_.legacy().state = FollowerState::kFailed;
  service_.legacy().reason = "disk on fire";
  Migrator& migrator = NewMigrator();

  const Status started = StartUnified(migrator);

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_NE(started.error().message.find("disk on fire"), std::string::npos);
}

TEST_F(MigratorTest, ConflictsWithAFillThatIsUnderWay) {
  MakeRecords(30);
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(StartUnified(migrator).has_value());

  const Status again = StartUnified(migrator);

  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
}

TEST_F(MigratorTest, ConflictsWithATargetThatCatchesUp) {
  service_.unified().state = FollowerState::kCatchingUp;
  Migrator& migrator = NewMigrator();

  const Status started = StartUnified(migrator);

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
}

TEST_F(MigratorTest, RefusesToEmptyATargetOfUnknownOrigin) {
  MakeTargetNew();
  PutIntoTarget("somebody's");
  Migrator& migrator = NewMigrator();

  const Status started = StartUnified(migrator);

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_NE(started.error().message.find("1 records"), std::string::npos);
}

TEST_F(MigratorTest, ResumesAFillThatACrashInterrupted) {
  BeginFill();
  service_.fill.reset();
  service_.unified().is_fill_under_way = false;
  service_.world.OpenStores();
  Migrator& migrator = NewMigrator();

  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());

  EXPECT_EQ(service_.started_mode, FillMode::kResume);
  FillWorld::Must(Step());
  EXPECT_EQ(migrator.GetStatus().records_done, 20u);
}

TEST_F(MigratorTest, ResumesAFillThatTheJournalKnowsNothingOf) {
  BeginFill();
  Must(journal_->Remove("migration"));
  service_.fill.reset();
  service_.unified().is_fill_under_way = false;
  service_.world.OpenStores();
  Migrator& migrator = NewMigrator();

  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());

  EXPECT_EQ(service_.started_mode, FillMode::kResume);
  EXPECT_EQ(migrator.GetStatus().state, "running");
}

TEST_F(MigratorTest, ResumesNothingWhenNothingWasInterrupted) {
  StoreState state = service_.world.target_store->State();
  state.is_filling = false;
  FillWorld::Must(service_.world.target->Apply({}, state));
  Migrator& migrator = NewMigrator();

  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());

  EXPECT_FALSE(service_.started_mode.has_value());
}

TEST_F(MigratorTest, AnInterruptedFillThatCouldNotBeResumedIsTriedAgain) {
  BeginFill();
  service_.fill.reset();
  service_.unified().is_fill_under_way = false;
  service_.fill_error = Error{ErrorCode::kRefused, "legacy is catching up"};
  service_.started_mode.reset();
  Migrator& migrator = NewMigrator();
  ASSERT_FALSE(migrator.ResumeIfInterrupted().has_value());
  migrator.Tick();
  EXPECT_FALSE(service_.started_mode.has_value());
  service_.fill_error.reset();

  Pass(std::chrono::seconds(3));
  migrator.Tick();

  EXPECT_EQ(service_.started_mode, FillMode::kResume);
}

TEST_F(MigratorTest, AFillWhoseLogIsGoneBeginsAnewByItselfAndSaysSo) {
  Migrator& migrator = BeginFill();
  MakeRecords(1);
  service_.world.trimmed = 31;
  ASSERT_EQ(Step().error().code, ErrorCode::kNotFound);
  service_.unified().state = FollowerState::kDetached;
  service_.unified().is_fill_under_way = false;

  migrator.Tick();

  EXPECT_EQ(service_.started_mode, FillMode::kFromScratch);
  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "running");
  EXPECT_NE(status.note.find("began anew"), std::string::npos);
}

TEST_F(MigratorTest, ARefusedFillLeavesTheStatusAsItWas) {
  MakeTargetNew();
  service_.fill_error = Error{ErrorCode::kRefused, "no"};
  Migrator& migrator = NewMigrator();

  EXPECT_FALSE(StartUnified(migrator).has_value());

  EXPECT_EQ(migrator.GetStatus().state, "none");
  EXPECT_TRUE(migrator.GetStatus().started_at.empty());
}

// --- Pause and resume ---

TEST_F(MigratorTest, APausedCopyStandsStillAndGoesOnWhereItWas) {
  Migrator& migrator = BeginFill();

  ASSERT_TRUE(migrator.Pause("ada").has_value());
  EXPECT_EQ(Step().error().code, ErrorCode::kBusy);
  EXPECT_EQ(migrator.GetStatus().state, "paused");
  EXPECT_EQ(StartUnified(migrator).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(migrator.Pause("ada").has_value());  // again does no harm

  ASSERT_TRUE(migrator.Resume("ada").has_value());
  FillWorld::Must(Step());
  EXPECT_EQ(migrator.GetStatus().records_done, 20u);
}

TEST_F(MigratorTest, APauseOutlivesARestart) {
  Must(BeginFill().Pause("ada"));
  service_.fill.reset();
  service_.unified().is_fill_under_way = false;
  service_.world.OpenStores();
  service_.started_mode.reset();
  Migrator& migrator = NewMigrator();

  Must(migrator.ResumeIfInterrupted());
  migrator.Tick();

  EXPECT_FALSE(service_.started_mode.has_value());
  EXPECT_EQ(migrator.GetStatus().state, "paused");
  Must(migrator.Resume("bob"));
  migrator.Tick();
  EXPECT_EQ(service_.started_mode, FillMode::kResume);
}

// --- Verify and the flag ---

TEST_F(MigratorTest, AFlagWaitsForACleanVerify) {
  int verifies = 0;
  options_.start_verify = [&](const std::string&) {
    ++verifies;
    return Status{};
  };
  Migrator& migrator = FinishFill();
  EXPECT_EQ(migrator.GetStatus().phase, "verifying");
  EXPECT_EQ(migrator.GetStatus().state, "running");
  EXPECT_EQ(migrator.MayFlip().error().code, ErrorCode::kRefused);

  migrator.Tick();
  migrator.Tick();
  EXPECT_EQ(verifies, 1);
  migrator.OnVerifyEnd({.is_finished = true, .sequence = 30, .records = 30, .differences = 0});

  EXPECT_TRUE(migrator.MayFlip().has_value());
  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "complete");
  EXPECT_EQ(status.percent, 100);
  EXPECT_TRUE(status.can_flip);
  EXPECT_EQ(status.verify.outcome, "clean");
}

TEST_F(MigratorTest, DifferencesKeepTheFlagBackUntilAVerifyIsClean) {
  options_.start_verify = [](const std::string&) { return Status{}; };
  Migrator& migrator = FinishFill();
  migrator.Tick();

  migrator.OnVerifyEnd({.is_finished = true, .sequence = 30, .records = 30, .differences = 2});

  EXPECT_EQ(migrator.GetStatus().state, "failed");
  EXPECT_NE(migrator.GetStatus().error.find("2 differences"), std::string::npos);
  EXPECT_FALSE(migrator.MayFlip().has_value());
  migrator.OnVerifyEnd({.is_finished = true, .sequence = 32, .records = 30, .differences = 0});
  EXPECT_EQ(migrator.GetStatus().state, "complete");
  EXPECT_TRUE(migrator.MayFlip().has_value());
}

TEST_F(MigratorTest, AVerifyThatFailedIsTriedAgain) {
  int verifies = 0;
  options_.start_verify = [&](const std::string&) {
    ++verifies;
    return Status{};
  };
  Migrator& migrator = FinishFill();
  migrator.Tick();
  migrator.OnVerifyEnd({});

  migrator.Tick();
  EXPECT_EQ(verifies, 1);
  Pass(std::chrono::seconds(6));
  migrator.Tick();

  EXPECT_EQ(verifies, 2);
}

TEST_F(MigratorTest, AVerifyCanBeLeftOutWhileItRuns) {
  options_.start_verify = [](const std::string&) { return Status{}; };
  Migrator& migrator = FinishFill();
  migrator.Tick();
  ASSERT_EQ(migrator.GetStatus().phase, "verifying");

  Must(migrator.ChangeSettings(R"({"is_verified_after": false})", "ada"));
  migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "complete");
  EXPECT_FALSE(migrator.MayFlip().has_value());
}

TEST_F(MigratorTest, WhatWasVerifiedOutlivesARestart) {
  options_.start_verify = [](const std::string&) { return Status{}; };
  Migrator& before = FinishFill();
  before.Tick();
  EXPECT_FALSE(NewMigrator().MayFlip().has_value());
  Migrator& migrator = NewMigrator();
  migrator.Tick();
  migrator.OnVerifyEnd({.is_finished = true, .sequence = 30, .records = 30, .differences = 0});

  EXPECT_TRUE(NewMigrator().MayFlip().has_value());
}

TEST_F(MigratorTest, AnOperatorMayAllowAnUnverifiedCopyAndIsNamed) {
  Migrator& migrator = FinishFill();
  ASSERT_FALSE(migrator.MayFlip().has_value());

  Must(migrator.AllowUnverified("ada", "a demo"));

  EXPECT_TRUE(migrator.MayFlip().has_value());
  const auto trail = test::Must(journal_->AuditTrail(1));
  EXPECT_EQ(trail[0].action, "flag.allow-unverified");
  EXPECT_EQ(trail[0].actor, "ada");
  EXPECT_EQ(trail[0].detail, "a demo");
}

// --- The way back ---

TEST_F(MigratorTest, ACancelledCopyIsRemovedAndTheRecordSaysSo) {
  Migrator& migrator = BeginFill();

  Must(migrator.Cancel("ada", "too slow"));
  EXPECT_EQ(migrator.GetStatus().state, "rolling-back");
  EXPECT_EQ(migrator.Cancel("bob", "").error().code, ErrorCode::kConflict);
  EXPECT_EQ(StartUnified(migrator).error().code, ErrorCode::kConflict);
  EXPECT_EQ(Step().error().code, ErrorCode::kCancelled);
  migrator.Tick();

  EXPECT_EQ(service_.steps, (std::vector<std::string>{"forget", "clear"}));
  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "rolled-back");
  EXPECT_NE(status.last_result.find("too slow"), std::string::npos);
  EXPECT_EQ(status.rollback->stage, "COMPLETED");
  EXPECT_EQ(status.rollback->percent, 100);
  const auto operations = test::Must(journal_->Operations("migration-rollback", 1));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].status, "done");
  ASSERT_EQ(operations[0].steps.size(), 5u);
  EXPECT_EQ(operations[0].steps[3].detail,
            "legacy gives all of its 30 records and stands at batch 30");
  EXPECT_EQ(test::Must(journal_->Operations("migration", 1))[0].status, "cancelled");
}

TEST_F(MigratorTest, AWayBackThatACrashInterruptedGoesOn) {
  Must(BeginFill().Cancel("ada", ""));

  Migrator& migrator = NewMigrator();
  Must(migrator.ResumeIfInterrupted());
  migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
  EXPECT_EQ(service_.steps, (std::vector<std::string>{"forget", "clear"}));
}

TEST_F(MigratorTest, AStepThatKeepsFailingLocksUntilAnOperatorResumes) {
  Migrator& migrator = BeginFill();
  service_.clear_error = Error{ErrorCode::kBusy, "unified store does not answer"};
  Must(migrator.Cancel("ada", ""));

  migrator.Tick();

  MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "locked");
  EXPECT_NE(status.error.find("stop the copy: unified store does not answer"), std::string::npos);
  EXPECT_NE(status.error.find("migrate resume"), std::string::npos);
  EXPECT_EQ(status.rollback->errors.size(), 5u);
  EXPECT_EQ(StartUnified(migrator).error().code, ErrorCode::kRefused);
  EXPECT_EQ(NewMigrator().GetStatus().state, "locked");  // also after a restart

  service_.clear_error.reset();
  Must(migrator_->Resume("bob"));
  migrator_->Tick();
  EXPECT_EQ(migrator_->GetStatus().state, "rolled-back");
}

TEST_F(MigratorTest, AFinishedCopyIsAbandonedNotCancelled) {
  Migrator& migrator = FinishFill();
  EXPECT_EQ(migrator.Cancel("ada", "").error().code, ErrorCode::kRefused);

  service_.status.routing.desired_percentage = 5;
  EXPECT_EQ(migrator.Abandon("ada", "").error().code, ErrorCode::kRefused);
  service_.status.routing.desired_percentage = 0;
  Must(migrator.Abandon("ada", "not yet"));
  migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
}

TEST_F(MigratorTest, NothingIsRemovedWhileTheSourceIsNotInSync) {
  Migrator& migrator = BeginFill();
  service_.legacy().state = FollowerState::kFailed;

  const Status cancelled = migrator.Cancel("ada", "");

  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kRefused);
  EXPECT_NE(cancelled.error().message.find("legacy is failed"), std::string::npos);
}

TEST_F(MigratorTest, NothingToCancelIsRefused) {
  MakeTargetNew();
  Migrator& migrator = NewMigrator();

  EXPECT_EQ(migrator.Cancel("ada", "").error().code, ErrorCode::kRefused);
  EXPECT_EQ(migrator.Pause("ada").error().code, ErrorCode::kRefused);
  EXPECT_EQ(migrator.Resume("ada").error().code, ErrorCode::kRefused);
  EXPECT_EQ(migrator.Abandon("ada", "").error().code, ErrorCode::kRefused);
}

TEST_F(MigratorTest, AJournalThatCannotBeWrittenChangesNothing) {
  Migrator& migrator = BeginFill();
  {
    const ScopedFailpoints failpoints("migration.journal=nospace");
    EXPECT_EQ(migrator.Pause("ada").error().code, ErrorCode::kNoSpace);
    EXPECT_EQ(migrator.Cancel("ada", "").error().code, ErrorCode::kNoSpace);
  }

  EXPECT_EQ(migrator.GetStatus().state, "running");
  FillWorld::Must(Step());
}

// --- Limits ---

TEST_F(MigratorTest, TooManyInvalidRecordsRollItBack) {
  options_.rules = test::Must(ValidationRules::Parse(R"({"a": {"format": "json"}})"));
  Migrator& migrator = BeginFill();  // "v" is no JSON: 10 of 30 by now
  EXPECT_EQ(migrator.GetStatus().invalid_records, 10u);

  migrator.Tick();
  migrator.Tick();

  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "rolled-back");
  EXPECT_NE(status.last_result.find("10 of 30 records are invalid"), std::string::npos);
  EXPECT_EQ(test::Must(journal_->CountFindings(InvalidRecords::kList)), 10u);  // stay to be seen
}

TEST_F(MigratorTest, TooManyInvalidRecordsRollBackACopyThatEndedBeforeSomebodyLooked) {
  options_.rules = test::Must(ValidationRules::Parse(R"({"a": {"format": "json"}})"));
  Migrator& migrator = FinishFill();

  migrator.Tick();
  migrator.Tick();

  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "rolled-back");
  EXPECT_NE(status.last_result.find("30 of 30 records are invalid"), std::string::npos);
}

TEST_F(MigratorTest, AFewInvalidRecordsAreCopiedAndListed) {
  options_.rules = test::Must(ValidationRules::Parse(R"({"a": {"value_bytes_max": 1}})"));
  service_.world.Write({PutOf("a", "long", "too long")});
  Migrator& migrator = BeginFill();
  for (int steps = 0; steps < 3; ++steps) FillWorld::Must(Step());
  migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "running");
  EXPECT_EQ(FillWorld::ContentOf(*service_.world.target_store)["a"]["long"], "too long");
  EXPECT_EQ(migrator.GetStatus().invalid_records, 1u);
  const auto listed = test::Must(journal_->Findings(InvalidRecords::kList, "", "", 10));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].key, "long");
}

TEST_F(MigratorTest, AStoreOutOfReachForTooLongRollsItBack) {
  Migrator& migrator = BeginFill();
  service_.unified().state = FollowerState::kFailed;
  migrator.Tick();
  Pass(std::chrono::seconds(59));
  migrator.Tick();
  EXPECT_EQ(migrator.GetStatus().state, "running");

  Pass(std::chrono::seconds(2));
  migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
  EXPECT_NE(migrator.GetStatus().last_result.find("out of reach"), std::string::npos);
}

TEST_F(MigratorTest, AStoreThatComesBackInTimeDoesNot) {
  Migrator& migrator = BeginFill();
  for (int i = 0; i < 5; ++i) {
    service_.unified().state = FollowerState::kFailed;
    migrator.Tick();
    Pass(std::chrono::seconds(40));
    service_.unified().state = FollowerState::kBackfilling;
    migrator.Tick();
  }

  EXPECT_EQ(migrator.GetStatus().state, "running");
}

TEST_F(MigratorTest, LittleMemoryForLongRollsItBackAndAMomentDoesNot) {
  Migrator& migrator = BeginFill();
  machine_.memory_share = 0.95;
  for (int i = 0; i < 4; ++i) migrator.Tick();
  machine_.memory_share = 0.5;
  migrator.Tick();
  EXPECT_EQ(migrator.GetStatus().phase, "copying");

  machine_.memory_share = 0.95;
  for (int i = 0; i < 5; ++i) migrator.Tick();

  EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
  EXPECT_NE(migrator.GetStatus().last_result.find("95.0 % of the memory"), std::string::npos);
}

TEST_F(MigratorTest, ItsTimeIsLimitedAndAPauseDoesNotCount) {
  Migrator& migrator = BeginFill();
  const auto run = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      migrator.Tick();
      Pass(std::chrono::seconds(1));
    }
  };
  run(250);
  Must(migrator.Pause("ada"));
  run(1000);
  Must(migrator.Resume("ada"));
  run(40);
  EXPECT_EQ(migrator.GetStatus().phase, "copying");
  EXPECT_EQ(migrator.GetStatus().seconds_max, 300u);

  run(20);

  EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
  EXPECT_NE(migrator.GetStatus().last_result.find("the limit is 300 s"), std::string::npos);
}

TEST_F(MigratorTest, SettingsChangeWhileItRunsAndAreKept) {
  Migrator& migrator = BeginFill();

  Must(migrator.ChangeSettings(R"({"seconds_max": 7})", "ada"));

  EXPECT_EQ(migrator.GetStatus().settings.seconds_max, 7u);
  EXPECT_EQ(NewMigrator().GetStatus().settings.seconds_max, 7u);
  EXPECT_EQ(migrator_->ChangeSettings(R"({"seconds": 7})", "ada").error().code,
            ErrorCode::kInvalidArgument);
}

// --- What the stores come to ---

ServiceStatus Stores(FollowerState legacy, FollowerState unified) {
  ServiceStatus status;
  status.followers[Index(Role::kLegacy)].state = legacy;
  status.followers[Index(Role::kUnified)].state = unified;
  return status;
}

// --- The backup before it ---

class BackedUpMigratorTest : public MigratorTest {
 protected:
  void SetUp() override {
    options_.begin_backup = [this](const std::string& reason, const std::string&) {
      reasons_.push_back(reason);
      if (begin_error_) return Result<std::string>(Fail(*begin_error_));
      return Result<std::string>("backup-" + std::to_string(reasons_.size()));
    };
    options_.is_backup_done = [this](const std::string& id) {
      EXPECT_EQ(id, "backup-" + std::to_string(reasons_.size()));
      return outcome_;
    };
    MakeRecords(30);
  }
  std::vector<std::string> reasons_;
  std::optional<Error> begin_error_;
  Result<bool> outcome_ = false;
};

TEST_F(BackedUpMigratorTest, NothingIsCopiedBeforeTheBackupIsThere) {
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(StartUnified(migrator).has_value());
  for (int i = 0; i < 3; ++i) migrator.Tick();
  EXPECT_EQ(service_.fill, nullptr);
  EXPECT_EQ(reasons_, std::vector<std::string>{"before-migration"});
  EXPECT_NE(migrator.GetStatus().waiting.find("backup"), std::string::npos);

  outcome_ = true;
  migrator.Tick();

  EXPECT_NE(service_.fill, nullptr);
  EXPECT_EQ(migrator.GetStatus().state, "running");
}

TEST_F(BackedUpMigratorTest, StoreThatHadFailedIsFilledOnceTheBackupIsThere) {
  service_.unified().state = FollowerState::kFailed;
  service_.unified().reason = "another process has committed";
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(StartUnified(migrator).has_value());
  outcome_ = true;
  migrator.Tick();
  migrator.Tick();

  EXPECT_NE(service_.fill, nullptr);
}

TEST_F(BackedUpMigratorTest, WithoutABackupThereIsNoMigration) {
  for (const bool begins : {true, false}) {
    reasons_.clear();
    if (!begins) begin_error_ = Error{ErrorCode::kNoSpace, "the disk is full"};
    outcome_ = Fail(ErrorCode::kNoSpace, "the disk is full");
    Migrator& migrator = NewMigrator();
    ASSERT_TRUE(StartUnified(migrator).has_value());
    for (int i = 0; i < 3; ++i) migrator.Tick();

    EXPECT_EQ(service_.fill, nullptr);
    EXPECT_EQ(migrator.GetStatus().state, "rolled-back");
    EXPECT_NE(migrator.GetStatus().last_result.find("the disk is full"), std::string::npos);
  }
}

TEST_F(BackedUpMigratorTest, AnotherOperationOnBackupsIsWaitedFor) {
  begin_error_ = Error{ErrorCode::kRefused, "a backup is being verified"};
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(StartUnified(migrator).has_value());
  for (int i = 0; i < 5; ++i) migrator.Tick();
  EXPECT_EQ(reasons_.size(), 1u) << "not five times a second";

  begin_error_.reset();
  outcome_ = true;
  Pass(std::chrono::seconds(3));
  migrator.Tick();
  migrator.Tick();

  EXPECT_NE(service_.fill, nullptr);
}

TEST_F(BackedUpMigratorTest, ARestartMakesAnotherOne) {
  ASSERT_TRUE(StartUnified(NewMigrator()).has_value());
  migrator_->Tick();
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());
  EXPECT_EQ(service_.fill, nullptr);
  outcome_ = true;
  migrator.Tick();
  migrator.Tick();

  EXPECT_EQ(reasons_.size(), 2u);
  EXPECT_NE(service_.fill, nullptr);
}

TEST_F(BackedUpMigratorTest, WhoWantsNoneGetsNone) {
  Migrator& migrator = NewMigrator();
  ASSERT_TRUE(migrator.Start({.settings_json = R"({"is_backed_up_before": false})"}).has_value());

  EXPECT_NE(service_.fill, nullptr);
  EXPECT_TRUE(reasons_.empty());
}

TEST(SummarizeMigration, AFailedTargetSaysWhy) {
  ServiceStatus stores = Stores(FollowerState::kInSync, FollowerState::kFailed);
  stores.followers[Index(Role::kUnified)].reason = "no space left on device";

  const MigrationStatus status = SummarizeMigration(stores, {}, nullptr);

  EXPECT_EQ(status.state, "failed");
  EXPECT_EQ(status.error, "no space left on device");
  EXPECT_EQ(status.can_flip_reason, "unified is failed: no space left on device");
}

TEST(SummarizeMigration, ARunningFillNamesASourceThatIsNotInSync) {
  MigrationRecord record;
  record.phase = kCopying;

  const MigrationStatus status = SummarizeMigration(
      Stores(FollowerState::kFailed, FollowerState::kBackfilling), record, nullptr);

  EXPECT_EQ(status.state, "running");
  EXPECT_NE(status.error.find("legacy is failed"), std::string::npos);
}

TEST(SummarizeMigration, ACopyThatStandsStillSaysWhy) {
  ServiceStatus stores = Stores(FollowerState::kInSync, FollowerState::kBackfilling);
  stores.followers[Index(Role::kUnified)].reason = "no space left on device";
  MigrationRecord record;
  record.phase = kCopying;
  record.is_backed_up = true;

  const MigrationStatus status = SummarizeMigration(stores, record, nullptr);

  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.waiting, "no space left on device");
}

TEST(SummarizeMigration, LegacyIsLetGoOnlyWhenAllIsVerifiedAndOnUnified) {
  ServiceStatus stores = Stores(FollowerState::kInSync, FollowerState::kInSync);
  MigrationRecord record;
  record.phase = kReady;
  EXPECT_NE(WhyNotComplete(stores, record).find("0 %"), std::string::npos);
  stores.routing.effective_percentage = 100;
  EXPECT_NE(WhyNotComplete(stores, record).find("no clean verify"), std::string::npos);
  record.verify.outcome = "clean";
  EXPECT_EQ(WhyNotComplete(stores, record), "");
  stores.followers[Index(Role::kLegacy)].state = FollowerState::kCatchingUp;
  EXPECT_NE(WhyNotComplete(stores, record).find("legacy is catching-up"), std::string::npos);
}

TEST(MigrationRecord, JsonGoesRoundTrip) {
  MigrationRecord record;
  record.phase = kRollingBack;
  record.target = Role::kLegacy;
  record.operation = 7;
  record.actor = "ada \"the\" first\n";
  record.read_p99_before_us = 12.5;
  record.settings.seconds_max = 9;
  record.verify = {"differences", "2026-01-01T00:00:00Z", 1, 2, 3};
  record.is_unified_unverified = true;
  record.rollback_operation = 8;
  record.locked_reason = "because";

  EXPECT_EQ(test::Must(ParseMigrationRecord(MigrationRecordToJson(record))), record);
}

TEST(MigrationRecord, WhatCannotBeReadIsRefused) {
  for (const char* text :
       {"", "[]", "{}", R"({"phase": "copying"})", R"({"phase": "flying", "target": "unified"})"})
    EXPECT_EQ(ParseMigrationRecord(text).error().code, ErrorCode::kCorruption) << text;
}

}  // namespace
}  // namespace switchback::test
