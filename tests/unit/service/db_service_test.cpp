// The service as a whole: opening, reading, flipping, closing.
#include "service/db_service.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::Content;
using test::FailsWith;
using test::IsOk;
using test::Must;
using test::Records;
using test::ServiceWorld;

class DbServiceTest : public ::testing::Test {
 protected:
  // Puts a record into a store before the service has ever seen it.
  static void Prefill(test::FaultyStore& disk, const std::string& name, const std::string& key) {
    CollectionCatalog catalog;
    const Effect effect{EffectKind::kPut, Must(catalog.Intern(name)), key, "adopted"};
    disk.store()->Commit({&effect, 1}, StoreState{});
  }

  ServiceWorld world_;
};

TEST_F(DbServiceTest, EmptyStoresAreBothInSyncAtOnce) {
  world_.Open();

  EXPECT_EQ(world_.StateOf(Role::kLegacy), FollowerState::kInSync);
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  EXPECT_EQ(world_.service->GetStatus().stage, "dualwrite");
}

TEST_F(DbServiceTest, ReadsWhatWasWrittenWhicheverStoreIsRoutedTo) {
  world_.Open();
  for (const double percentage : {0.0, 100.0, 50.0}) {
    Must(world_.Flip(percentage));
    const std::string value = "v" + std::to_string(percentage);
    Must(world_.Put("users", "alice", value));
    EXPECT_EQ(world_.Get("users", "alice"), value);
    world_.Drain();
    EXPECT_EQ(world_.Get("users", "alice"), value) << "from the store";
    Must(world_.Delete("users", "alice"));
    EXPECT_EQ(world_.Get("users", "alice"), "(none)");
    world_.Drain();
    EXPECT_EQ(world_.Get("users", "alice"), "(none)");
  }
}

TEST_F(DbServiceTest, BothStoresHoldEveryWriteAfterADrain) {
  world_.Open();
  for (int i = 0; i < 50; ++i)
    Must(world_.Put("c" + std::to_string(i % 3), std::to_string(i), "v"));
  Must(world_.Delete("c0", "0"));

  world_.Drain();

  const Content legacy = world_.Stored(Role::kLegacy);
  EXPECT_EQ(legacy.at("c0").size(), 16u);
  EXPECT_EQ(legacy, world_.Stored(Role::kUnified));
}

TEST_F(DbServiceTest, ScansCountsAndNamesMergeMemtableAndStore) {
  world_.Open();
  Must(world_.Put("c", "b", "stored"));
  Must(world_.Put("c", "d", "stored"));
  Must(world_.Put("other", "x", ""));
  world_.Drain();
  world_.legacy->store()->HoldApplies();
  world_.unified->store()->HoldApplies();
  Must(world_.Put("c", "a", "new"));
  Must(world_.Put("c", "b", "newer"));
  Must(world_.Delete("c", "d"));
  Must(world_.Delete("c", "never"));
  Must(world_.Put("fresh", "x", ""));

  EXPECT_EQ(world_.Scan("c"), (Records{{"a", "new"}, {"b", "newer"}}));
  EXPECT_EQ(Must(world_.session().Count(world_.collection("c"))), 2u);
  EXPECT_EQ(Must(world_.service->CollectionNames()),
            (std::vector<std::string>{"c", "fresh", "other"}));
  const std::array<std::string_view, 4> keys{"a", "b", "d", "never"};
  EXPECT_EQ(Must(world_.session().MultiGet(world_.collection("c"), keys)),
            (std::vector<std::optional<std::string>>{"new", "newer", std::nullopt, std::nullopt}));
  world_.session().EndTurn();
  world_.legacy->store()->ReleaseApplies();
  world_.unified->store()->ReleaseApplies();
}

TEST_F(DbServiceTest, AClearIsSeenAtOnceEverywhere) {
  world_.Open();
  Must(world_.Put("c", "stored", "1"));
  world_.Drain();
  Must(world_.service->Write([&](Transaction& transaction) -> Status {
    SB_RETURN_IF_ERROR(transaction.Clear(world_.collection("c")));
    return transaction.Put(world_.collection("c"), "after", "2");
  }));

  EXPECT_EQ(world_.Get("c", "stored"), "(none)");
  EXPECT_EQ(world_.Scan("c"), (Records{{"after", "2"}}));
  EXPECT_EQ(Must(world_.session().Count(world_.collection("c"))), 1u);
  world_.session().EndTurn();
  world_.Drain();
  EXPECT_EQ(world_.Stored(Role::kLegacy).at("c"), (Records{{"after", "2"}}));
  EXPECT_EQ(world_.Stored(Role::kUnified).at("c"), (Records{{"after", "2"}}));
}

TEST_F(DbServiceTest, AnAdoptedStoreIsServedAndAFlipToAnEmptyOneIsRefused) {
  Prefill(*world_.legacy, "users", "alice");
  world_.Open();

  EXPECT_EQ(world_.Get("users", "alice"), "adopted");
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.service->GetStatus().stage, "off");
  const Status flipped = world_.Flip(100);
  ASSERT_TRUE(FailsWith(flipped, ErrorCode::kRefused));
  EXPECT_NE(flipped.error().message.find("detached"), std::string::npos);
  EXPECT_EQ(world_.Get("users", "alice"), "adopted");
  const RoutingStatus routing = world_.service->GetStatus().routing;
  EXPECT_TRUE(routing.is_refused);
  EXPECT_EQ(routing.effective_percentage, 0);
  EXPECT_EQ(routing.desired_percentage, 100);
  EXPECT_NE(routing.reason.find("refused"), std::string::npos);

  EXPECT_TRUE(IsOk(world_.Flip(0)));
  EXPECT_FALSE(world_.service->GetStatus().routing.is_refused);
}

TEST_F(DbServiceTest, AnAdoptedStoreTakesWritesAndKeepsThemAcrossRestarts) {
  Prefill(*world_.legacy, "users", "alice");
  world_.Open();
  Must(world_.Put("users", "bob", "1"));
  world_.Reopen();

  EXPECT_EQ(world_.Scan("users"), (Records{{"alice", "adopted"}, {"bob", "1"}}));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.Stored(Role::kUnified), Content{});
}

TEST_F(DbServiceTest, MayApplyAsksWithoutAnEffect) {
  Prefill(*world_.legacy, "users", "alice");
  world_.Open();
  FlagSettings settings;
  EXPECT_TRUE(IsOk(world_.service->MayApply(FlagRule(settings))));
  settings.enabled = true;
  EXPECT_TRUE(FailsWith(world_.service->MayApply(FlagRule(settings)), ErrorCode::kRefused));
  settings.share = 0;
  EXPECT_TRUE(IsOk(world_.service->MayApply(FlagRule(settings))));
  settings.allow = {"one"};
  EXPECT_TRUE(FailsWith(world_.service->MayApply(FlagRule(settings)), ErrorCode::kRefused));
  EXPECT_FALSE(world_.service->GetStatus().routing.is_refused);
}

TEST_F(DbServiceTest, HeldRoutingIsLegacyWhateverTheFlagsSay) {
  world_.Open();
  Must(world_.Put("users", "a", "1"));
  world_.Drain();
  Must(world_.Flip(100));
  const auto reads_of_unified = [&] {
    return world_.Metrics(Role::kUnified, Operation::kGet).latency.Count();
  };
  EXPECT_EQ(world_.Get("users", "a"), "1");
  EXPECT_EQ(reads_of_unified(), 1u);

  world_.service->HoldRouting("somebody said so");
  EXPECT_EQ(world_.Get("users", "a"), "1");
  ASSERT_TRUE(FailsWith(world_.Flip(50), ErrorCode::kRefused)) << "also for flags that come later";
  EXPECT_EQ(world_.Get("users", "a"), "1");
  EXPECT_EQ(reads_of_unified(), 1u);
  RoutingStatus routing = world_.service->GetStatus().routing;
  EXPECT_EQ(routing.desired_percentage, 50);
  EXPECT_EQ(routing.effective_percentage, 0);
  EXPECT_EQ(routing.hold_reason, "somebody said so");
  EXPECT_NE(routing.reason.find("somebody said so"), std::string::npos);
  EXPECT_TRUE(IsOk(world_.Flip(0))) << "legacy is what it wants";

  Must(world_.service->JudgeFlags());
  world_.service->HoldRouting("");
  Must(world_.Flip(100));
  EXPECT_EQ(world_.Get("users", "a"), "1");
  EXPECT_EQ(reads_of_unified(), 2u);
}

TEST_F(DbServiceTest, WritesThatAreHeldAreRefusedAndReadsGoOn) {
  world_.Open();
  Must(world_.Put("users", "a", "1"));
  world_.service->HoldWrites(WriteHold::kSafeMode, "one");
  world_.service->HoldWrites(WriteHold::kReadOnlyFlag, "two");
  EXPECT_EQ(world_.service->GetStatus().write_hold_reason, "one; two");
  const Status refused = world_.Put("users", "a", "2");
  ASSERT_TRUE(FailsWith(refused, ErrorCode::kReadOnly));
  EXPECT_NE(refused.error().message.find("one"), std::string::npos);
  EXPECT_EQ(world_.Get("users", "a"), "1");
  EXPECT_TRUE(IsOk(world_.service->Write([&](Transaction& transaction) -> Status {
    const auto value = transaction.Get(world_.collection("users"), "a");
    return value ? Status{} : Status(Fail(value.error()));
  }))) << "what changes nothing is answered";

  world_.service->HoldWrites(WriteHold::kSafeMode, "");
  EXPECT_TRUE(FailsWith(world_.Put("users", "a", "2"), ErrorCode::kReadOnly));
  world_.service->HoldWrites(WriteHold::kReadOnlyFlag, "");
  EXPECT_TRUE(IsOk(world_.Put("users", "a", "2")));
  EXPECT_EQ(world_.Get("users", "a"), "2");
}

TEST_F(DbServiceTest, FlipsAreCountedAndReported) {
  world_.Open();
  Must(world_.Flip(25));
  EXPECT_EQ(world_.service->GetStatus().stage, "live");
  Must(world_.Flip(100));
  EXPECT_EQ(world_.service->GetStatus().stage, "rampdown");
  Must(world_.Flip(100));
  Must(world_.Flip(0));

  const RoutingStatus routing = world_.service->GetStatus().routing;
  EXPECT_EQ(routing.flips, 3u);
  EXPECT_EQ(routing.effective_percentage, 0);
  EXPECT_EQ(routing.reason, "");
}

TEST_F(DbServiceTest, AStoreOfAnotherDataDirectoryIsRefused) {
  world_.Open();
  Must(world_.Put("c", "k", "1"));
  Must(world_.Close());
  world_.options.data_dir += "-other";

  const auto opened = world_.TryOpen();

  ASSERT_TRUE(FailsWith(opened, ErrorCode::kRefused));
  EXPECT_NE(opened.error().message.find("another data directory"), std::string::npos);
  EXPECT_EQ(world_.Stored(Role::kLegacy), (Content{{"c", {{"k", "1"}}}}));
}

TEST_F(DbServiceTest, AStoreThatWasNeverAttachedIsRefusedWhereBatchesAre) {
  world_.Open();
  Must(world_.Put("c", "k", "1"));
  Must(world_.Close());
  world_.legacy = std::make_shared<test::FaultyStore>();

  EXPECT_TRUE(FailsWith(world_.TryOpen(), ErrorCode::kRefused));
  EXPECT_EQ(world_.legacy->Newest()->state, StoreState{}) << "a refusal changes nothing";
}

TEST_F(DbServiceTest, AMissingLogIsCorruptionAndNothingIsChanged) {
  world_.Open();
  for (int i = 0; i < 5; ++i) Must(world_.Put("c", "k", std::to_string(i)));
  const std::string log = world_.options.data_dir + "/gen-1/log";
  std::filesystem::copy(log, world_.path() + "/early-log");  // as of batch 5
  for (int i = 0; i < 5; ++i) Must(world_.Put("c", "k", "late"));
  Must(world_.Close());
  std::filesystem::remove_all(log);
  std::filesystem::copy(world_.path() + "/early-log", log);

  const auto opened = world_.TryOpen();

  ASSERT_TRUE(FailsWith(opened, ErrorCode::kCorruption));
  EXPECT_NE(opened.error().message.find("log files are missing"), std::string::npos);
  std::filesystem::remove_all(log);
  EXPECT_TRUE(FailsWith(world_.TryOpen(), ErrorCode::kRefused)) << "a new log has a new id";
}

TEST_F(DbServiceTest, ASecondOpenIsRefusedWithThePidOfTheFirst) {
  world_.Open();

  const auto second = world_.TryOpen();

  ASSERT_TRUE(FailsWith(second, ErrorCode::kConflict));
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(DbServiceTest, ADamagedLogRefusesToOpen) {
  world_.Open();
  for (int i = 0; i < 5; ++i) Must(world_.Put("c", "k", std::to_string(i)));
  Must(world_.Close());
  const std::string path = world_.options.data_dir + "/gen-1/log/log-00000000000000000001";
  std::string bytes = test::ReadBytes(path);
  bytes[kLogFileHeaderBytes + 40] = static_cast<char>(bytes[kLogFileHeaderBytes + 40] ^ 1);
  test::WriteBytes(path, bytes);

  EXPECT_TRUE(FailsWith(world_.TryOpen(), ErrorCode::kCorruption));
}

TEST_F(DbServiceTest, CloseLeavesBothStoresCompleteAndDurable) {
  world_.Open();
  for (int i = 0; i < 20; ++i) Must(world_.Put("c", std::to_string(i), "v"));
  Must(world_.service->Close());

  EXPECT_TRUE(IsOk(world_.service->Close())) << "idempotent";
  EXPECT_EQ(world_.Stored(Role::kLegacy).at("c").size(), 20u);
  EXPECT_EQ(test::ContentOf(*world_.unified->Durable()), world_.Stored(Role::kLegacy));
  EXPECT_EQ(test::ContentOf(*world_.legacy->Durable()), world_.Stored(Role::kLegacy));
  EXPECT_TRUE(FailsWith(world_.Put("c", "late", "v"), ErrorCode::kCancelled));
}

TEST_F(DbServiceTest, StatusAddsUp) {
  world_.Open();
  for (int i = 0; i < 10; ++i) Must(world_.Put("c", std::to_string(i), "v"));
  EXPECT_FALSE(world_.service->Write(
      [](Transaction&) -> Status { return Fail(ErrorCode::kInvalidArgument, "no"); }));
  world_.Drain();
  for (int i = 0; i < 7; ++i) (void)world_.Get("c", "1");

  const ServiceStatus status = world_.service->GetStatus();
  EXPECT_EQ(status.generation, "gen-1");
  EXPECT_EQ(status.last_sequence, 10u);
  EXPECT_EQ(status.batches, 10u);
  EXPECT_EQ(status.writes, 11u);
  EXPECT_EQ(status.write_errors, 1u);
  EXPECT_EQ(status.write_latency.Count(), 11u);
  EXPECT_EQ(status.log_sync.Count(), 10u);
  EXPECT_FALSE(status.is_log_failed);
  EXPECT_EQ(status.queue_bytes, 0u);
  EXPECT_GE(status.log_files, 1u);
  for (const Role role : kRoles) {
    const FollowerStatus& follower = status.followers[Index(role)];
    EXPECT_EQ(follower.applied_sequence, 10u);
    EXPECT_EQ(follower.durable_sequence, 10u);
    EXPECT_EQ(follower.lag_batches, 0u);
    EXPECT_EQ(follower.reason, "");
  }
  EXPECT_EQ(world_.Metrics(Role::kLegacy, Operation::kGet).latency.Count(), 7u);
  EXPECT_EQ(world_.Metrics(Role::kUnified, Operation::kGet).latency.Count(), 0u);
}

TEST_F(DbServiceTest, DetachRemovesEveryTraceAndEndsTheDataDirectory) {
  world_.Open();
  Must(world_.Put("c", "k", "v"));

  ASSERT_TRUE(IsOk(world_.service->Detach(false)));

  for (const Role role : kRoles) {
    EXPECT_EQ(world_.disk(role).Newest()->state, StoreState{});
    EXPECT_EQ(world_.Stored(role), (Content{{"c", {{"k", "v"}}}}));
  }
  world_.service.reset();
  const auto opened = world_.TryOpen();
  ASSERT_TRUE(FailsWith(opened, ErrorCode::kRefused));
  EXPECT_NE(opened.error().message.find("detached"), std::string::npos);
  world_.options.data_dir += "-next";
  EXPECT_TRUE(IsOk(world_.TryOpen())) << "a new directory adopts the store again";
}

TEST_F(DbServiceTest, DetachIsRefusedWhileAStoreLacksSomething) {
  world_.Open();
  Must(world_.Put("c", "k", "v"));
  world_.Drain();
  world_.unified->SetHook(
      [](test::FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "disk pulled out"); });
  Must(world_.Put("c", "k", "v2"));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));

  const Status detached = world_.service->Detach(false);

  ASSERT_TRUE(FailsWith(detached, ErrorCode::kRefused));
  EXPECT_NE(detached.error().message.find("unified"), std::string::npos);
  EXPECT_EQ(world_.Get("c", "k"), "v2") << "the service goes on";
}

TEST_F(DbServiceTest, ALimitGivesAClearErrorAndStoresNothing) {
  world_.options.value_bytes_max = 100;
  world_.Open();
  EXPECT_TRUE(FailsWith(world_.Put("c", "", "v"), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(world_.Put("c", std::string(kKeyBytesMax + 1, 'k'), "v"),
                        ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(world_.Delete("c", ""), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(world_.Put("c", "k", std::string(101, 'v')), ErrorCode::kTooLarge));
  EXPECT_TRUE(IsOk(world_.Put("c", std::string(kKeyBytesMax, 'k'), std::string(100, 'v'))));
  EXPECT_EQ(world_.service->GetStatus().last_sequence, 1u);
}

// LMDB keeps its named databases as records of the main one.
TEST_F(DbServiceTest, AKeyOfMainThatNamesACollectionIsRefusedEitherWayRound) {
  world_.Open();
  Must(world_.Put("users", "k", "v"));
  EXPECT_TRUE(FailsWith(world_.Put("main", "users", "v"), ErrorCode::kInvalidArgument));
  EXPECT_TRUE(FailsWith(world_.Put("main", std::string(kReservedName) + "x", "v"),
                        ErrorCode::kInvalidArgument));
  Must(world_.Put("main", "plain", "v"));
  EXPECT_TRUE(FailsWith(world_.Put("plain", "k", "v"), ErrorCode::kInvalidArgument));
  EXPECT_EQ(world_.Get("main", "plain"), "v");
}

}  // namespace
}  // namespace switchback
