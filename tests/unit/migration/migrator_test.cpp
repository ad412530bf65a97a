#include "migration/migrator.hpp"

#include <gtest/gtest.h>

#include "fill_world.hpp"

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
  Status ClearStore(Role /*role*/, const std::string& /*reason*/,
                    std::chrono::milliseconds /*wait_max*/) override {
    return Fail(ErrorCode::kUnsupported, "no stores here");
  }
  void SetFlipGate(std::function<Status()> gate) override { flip_gate = std::move(gate); }
  Status StartFill(Role target, FillMode mode, std::unique_ptr<FillSource> source) override {
    EXPECT_EQ(target, Role::kUnified);
    if (fill_error) return Fail(*fill_error);
    started_mode = mode;
    fill = std::move(source);
    unified().state = FollowerState::kBackfilling;
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
    if (!step->state.is_filling) service_.unified().state = FollowerState::kCatchingUp;
    return {};
  }
  Migrator NewMigrator(std::size_t chunk = 10) {
    MigratorOptions options;
    options.backfill.chunk_record_count_max = chunk;
    return {service_, clock_, options};
  }

  SettableClock clock_;
  FakeService service_;
};

TEST_F(MigratorTest, BeforeAnyFillThereIsNoneAndFlippingNeedsOne) {
  MakeTargetNew();
  Migrator migrator = NewMigrator();

  const MigrationStatus status = migrator.GetStatus();

  EXPECT_EQ(status.state, "none");
  EXPECT_FALSE(status.can_flip);
  EXPECT_NE(status.can_flip_reason.find("switchback migrate start"), std::string::npos);
}

TEST_F(MigratorTest, FillOfANewTargetBeginsFromScratchAndReportsProgress) {
  MakeTargetNew();
  MakeRecords(30);
  Migrator migrator = NewMigrator();

  ASSERT_TRUE(migrator.Start().has_value());
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
  status = migrator.GetStatus();
  EXPECT_EQ(status.state, "complete");
  EXPECT_EQ(status.percent, 100.0);
  EXPECT_EQ(status.records_done, 30u);
  EXPECT_TRUE(status.can_flip);
  EXPECT_TRUE(status.can_flip_reason.empty());
}

TEST_F(MigratorTest, RefusesWhenTheTargetIsInSyncAlready) {
  service_.unified().state = FollowerState::kInSync;
  Migrator migrator = NewMigrator();

  const Status started = migrator.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_FALSE(service_.started_mode.has_value());
}

TEST_F(MigratorTest, RefusesWhenTheSourceIsNotInSyncAndSaysWhy) {
  service_.legacy().state = FollowerState::kFailed;
  service_.legacy().reason = "disk on fire";
  Migrator migrator = NewMigrator();

  const Status started = migrator.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_NE(started.error().message.find("disk on fire"), std::string::npos);
}

TEST_F(MigratorTest, ConflictsWithAFillThatIsUnderWay) {
  MakeRecords(30);
  Migrator migrator = NewMigrator();
  ASSERT_TRUE(migrator.Start().has_value());

  const Status again = migrator.Start();

  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
}

TEST_F(MigratorTest, ConflictsWithATargetThatCatchesUp) {
  service_.unified().state = FollowerState::kCatchingUp;
  Migrator migrator = NewMigrator();

  const Status started = migrator.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
}

TEST_F(MigratorTest, RefusesToEmptyATargetOfUnknownOrigin) {
  MakeTargetNew();
  PutIntoTarget("somebody's");
  Migrator migrator = NewMigrator();

  const Status started = migrator.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kRefused);
  EXPECT_NE(started.error().message.find("1 records"), std::string::npos);
}

TEST_F(MigratorTest, ResumesAFillThatACrashInterrupted) {
  MakeRecords(30);
  {
    Migrator migrator = NewMigrator();
    ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());
    FillWorld::Must(Step());
  }
  service_.fill.reset();
  service_.world.OpenStores();
  Migrator migrator = NewMigrator();

  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());

  EXPECT_EQ(service_.started_mode, FillMode::kResume);
  FillWorld::Must(Step());
  EXPECT_EQ(migrator.GetStatus().records_done, 20u);
}

TEST_F(MigratorTest, ResumesNothingWhenNothingWasInterrupted) {
  StoreState state = service_.world.target_store->State();
  state.is_filling = false;
  FillWorld::Must(service_.world.target->Apply({}, state));
  Migrator migrator = NewMigrator();

  ASSERT_TRUE(migrator.ResumeIfInterrupted().has_value());

  EXPECT_FALSE(service_.started_mode.has_value());
}

TEST_F(MigratorTest, AnInterruptedFillThatCouldNotBeResumedIsStartedAgainByHand) {
  service_.unified().state = FollowerState::kBackfilling;
  service_.fill_error = Error{ErrorCode::kRefused, "legacy is catching up"};
  Migrator migrator = NewMigrator();
  ASSERT_FALSE(migrator.ResumeIfInterrupted().has_value());
  service_.fill_error.reset();

  ASSERT_TRUE(migrator.Start().has_value());

  EXPECT_EQ(service_.started_mode, FillMode::kResume);
}

TEST_F(MigratorTest, AFillWhoseLogIsGoneFailsAndStartsFromScratchNext) {
  MakeRecords(30);
  Migrator migrator = NewMigrator();
  ASSERT_TRUE(migrator.Start().has_value());
  FillWorld::Must(Step());
  MakeRecords(1);
  service_.world.trimmed = 31;
  ASSERT_EQ(Step().error().code, ErrorCode::kNotFound);
  service_.unified().state = FollowerState::kDetached;

  const MigrationStatus status = migrator.GetStatus();
  EXPECT_EQ(status.state, "failed");
  EXPECT_NE(status.error.find("from the beginning"), std::string::npos);

  ASSERT_TRUE(migrator.Start().has_value());
  EXPECT_EQ(service_.started_mode, FillMode::kFromScratch);
}

TEST_F(MigratorTest, ARefusedFillLeavesTheStatusAsItWas) {
  MakeTargetNew();
  service_.fill_error = Error{ErrorCode::kRefused, "no"};
  Migrator migrator = NewMigrator();

  EXPECT_FALSE(migrator.Start().has_value());

  EXPECT_EQ(migrator.GetStatus().state, "none");
  EXPECT_TRUE(migrator.GetStatus().started_at.empty());
}

TEST(SummarizeMigration, AFailedTargetSaysWhy) {
  FollowerStatus source, target;
  source.state = FollowerState::kInSync;
  target.state = FollowerState::kFailed;
  target.reason = "no space left on device";

  const MigrationStatus status = SummarizeMigration(source, target, Role::kUnified, nullptr);

  EXPECT_EQ(status.state, "failed");
  EXPECT_EQ(status.error, "no space left on device");
  EXPECT_EQ(status.can_flip_reason, "unified is failed: no space left on device");
}

TEST(SummarizeMigration, AFillThatWasAskedForRunsUntilItsFollowerSaysOtherwise) {
  FollowerStatus source, target;
  source.state = FollowerState::kInSync;
  target.reason = "never filled";
  FillAttempt attempt;
  attempt.detached_reason = target.reason;

  EXPECT_EQ(SummarizeMigration(source, target, Role::kUnified, &attempt).state, "running");

  target.reason = "fill could not begin: no space left on device";
  const MigrationStatus status = SummarizeMigration(source, target, Role::kUnified, &attempt);
  EXPECT_EQ(status.state, "failed");
  EXPECT_EQ(status.error, target.reason);
}

TEST(SummarizeMigration, ARunningFillNamesASourceThatIsNotInSync) {
  FollowerStatus source, target;
  source.state = FollowerState::kFailed;
  target.state = FollowerState::kBackfilling;

  const MigrationStatus status = SummarizeMigration(source, target, Role::kUnified, nullptr);

  EXPECT_EQ(status.state, "running");
  EXPECT_NE(status.can_flip_reason.find("legacy is failed"), std::string::npos);
}

}  // namespace
}  // namespace switchback::test
