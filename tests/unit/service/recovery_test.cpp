// Opening after a stop, a kill or a power cut (I1, I3, I9), and answers that wait for the stores.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::Content;
using test::Crash;
using test::FailsWith;
using test::FaultyStore;
using test::IsOk;
using test::Must;
using test::Records;
using test::ScopedFailpoints;
using test::ServiceWorld;

class RecoveryTest : public ::testing::Test {
 protected:
  void Hold() {
    world_.legacy->store()->HoldApplies();
    world_.unified->store()->HoldApplies();
  }
  void Release() {
    world_.legacy->store()->ReleaseApplies();
    world_.unified->store()->ReleaseApplies();
  }
  void Write(int from, int to, const std::string& value = "v") {
    for (int i = from; i < to; ++i) Must(world_.Put("c", "k" + std::to_string(i), value));
  }
  void ExpectBothHold(std::size_t records) {
    for (const Role role : kRoles) ASSERT_TRUE(world_.Becomes(role, FollowerState::kInSync));
    world_.Drain();
    EXPECT_EQ(world_.Stored(Role::kLegacy).at("c").size(), records);
    EXPECT_EQ(world_.Stored(Role::kLegacy), world_.Stored(Role::kUnified));
  }

  ServiceWorld world_;
};

TEST_F(RecoveryTest, WhatNoStoreHadAppliedIsServedAtOnceAfterAKill) {
  world_.Open();
  Hold();
  Write(0, 20);
  world_.CrashAndReopen(Crash::kKill);

  EXPECT_EQ(world_.Scan("c").size(), 20u);
  EXPECT_EQ(world_.StateOf(Role::kLegacy), FollowerState::kInSync);
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  ExpectBothHold(20);
}

TEST_F(RecoveryTest, APowerCutTakesNothingThatWasAcknowledged) {
  world_.Open();
  Write(0, 10);
  world_.Drain();
  Write(10, 20);  // applied perhaps, not durable in the stores
  world_.CrashAndReopen(Crash::kPowerCut);

  EXPECT_EQ(world_.Scan("c").size(), 20u);
  ExpectBothHold(20);
}

// One was durable further than the other: each is replayed from its own position.
TEST_F(RecoveryTest, EachStoreIsReplayedFromItsOwnPosition) {
  world_.Open();
  Write(0, 10);
  world_.Drain();
  world_.unified->store()->HoldApplies();
  Write(10, 20);
  ASSERT_TRUE(
      test::Eventually([&] { return world_.legacy->Newest()->state.applied_sequence == 20; }));
  EXPECT_EQ(world_.unified->Newest()->state.applied_sequence, 10u);
  world_.CrashAndReopen(Crash::kKill);

  EXPECT_EQ(world_.Scan("c").size(), 20u);
  ExpectBothHold(20);
}

TEST_F(RecoveryTest, AStoreTooFarBehindForTheMemtableCatchesUpFromTheLog) {
  world_.options.memtable_record_count_max = 16;
  world_.Open();
  Write(0, 4);
  world_.Drain();
  world_.unified->SetHook(
      [](FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "broken"); });
  Write(0, 200, "new");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  world_.CrashAndReopen(Crash::kKill);

  EXPECT_EQ(world_.Get("c", "k150"), "new");
  ExpectBothHold(200);
}

TEST_F(RecoveryTest, ADamagedPieceOfTheLogOnlyHarmsTheStoreThatNeedsIt) {
  world_.options.memtable_record_count_max = 16;
  world_.options.log_file_bytes = 16384;
  world_.Open();
  Write(0, 4);
  world_.Drain();
  world_.unified->SetHook(
      [](FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "broken"); });
  Write(0, 100, std::string(500, 'x'));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  (void)world_.Close();
  const std::string path = world_.options.data_dir + "/gen-1/log/log-00000000000000000001";
  std::string bytes = test::ReadBytes(path);
  bytes[kLogFileHeaderBytes + 9 * 600] = '!';
  bytes[kLogFileHeaderBytes + 10 * 600] = '!';
  test::WriteBytes(path, bytes);
  world_.unified->SetHook(nullptr);

  world_.Open();

  EXPECT_EQ(world_.StateOf(Role::kLegacy), FollowerState::kInSync);
  EXPECT_EQ(world_.Get("c", "k99"), std::string(500, 'x'));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  EXPECT_NE(world_.ReasonOf(Role::kUnified).find("damaged"), std::string::npos)
      << world_.ReasonOf(Role::kUnified);
  Must(world_.Put("c", "goes on", "v"));
}

TEST_F(RecoveryTest, ACleanStopLeavesNothingToReplay) {
  world_.Open();
  Write(0, 50);
  world_.Reopen();

  EXPECT_EQ(world_.service->GetStatus().memtable_records, 0u);
  EXPECT_EQ(world_.service->GetStatus().last_sequence, 50u);
  Must(world_.Put("c", "k50", "v"));
  EXPECT_EQ(world_.service->GetStatus().last_sequence, 51u);
  ExpectBothHold(51);
}

// Its bytes are in the log, and only that the sync failed has kept it from counting.
TEST_F(RecoveryTest, ACleanStopMakesAWriteVoidWhoseSyncFailed) {
  world_.Open();
  Write(0, 2);
  {
    const ScopedFailpoints failpoints("log.sync=error@1");
    EXPECT_FALSE(world_.Put("c", "k1", "never acknowledged").has_value());
  }
  world_.Reopen();

  EXPECT_EQ(world_.Get("c", "k1"), "v");
  ExpectBothHold(2);
}

// A store that has just failed is given a moment to come back before the process goes.
TEST_F(RecoveryTest, ACleanStopWaitsForAStoreThatIsComingBack) {
  world_.Open();
  const ScopedFailpoints failpoints("backend.unified.commit=error@1");
  Write(0, 5);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));

  EXPECT_TRUE(IsOk(world_.Close()));

  EXPECT_EQ(world_.Stored(Role::kUnified).at("c").size(), 5u);
  EXPECT_EQ(world_.Stored(Role::kLegacy), test::ContentOf(*world_.unified->Durable()));
}

TEST_F(RecoveryTest, AStopWithABrokenStoreSaysSoAndLosesNothing) {
  world_.Open();
  Write(0, 5);
  world_.Drain();
  world_.unified->SetHook(
      [](FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "broken"); });
  Write(0, 10, "new");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));

  const Status closed = world_.Close();

  ASSERT_TRUE(FailsWith(closed, ErrorCode::kBusy));
  EXPECT_NE(closed.error().message.find("unified"), std::string::npos);
  EXPECT_EQ(world_.Stored(Role::kLegacy).at("c").size(), 10u);
  world_.unified->SetHook(nullptr);
  world_.Open();
  ExpectBothHold(10);
}

TEST_F(RecoveryTest, DetachByForceLeavesWhatThereIs) {
  world_.Open();
  Write(0, 5);
  world_.Drain();
  std::atomic<bool> is_broken{true};
  world_.unified->SetHook([&](FaultyStore::Call) -> Status {
    return is_broken ? Status(Fail(ErrorCode::kIo, "broken")) : Status{};
  });
  Write(0, 10, "new");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));

  EXPECT_TRUE(IsOk(world_.service->Detach(true)));

  EXPECT_EQ(world_.legacy->Newest()->state, StoreState{});
  EXPECT_EQ(world_.Stored(Role::kLegacy).at("c").size(), 10u);
}

TEST_F(RecoveryTest, TheLogIsGivenBackOnceBothStoresAreDurable) {
  world_.options.log_file_bytes = 16384;
  world_.Open();
  for (int i = 0; i < 200; ++i) Must(world_.Put("c", "k", std::string(500, 'x')));
  ASSERT_GT(world_.service->GetStatus().log_first_sequence, 0u);
  world_.Drain();

  EXPECT_TRUE(test::Eventually([&] { return world_.service->GetStatus().log_files == 1; }));
  world_.CrashAndReopen(Crash::kPowerCut);
  EXPECT_EQ(world_.Get("c", "k"), std::string(500, 'x'));
}

TEST_F(RecoveryTest, ALogThatFailsRefusesWritesAndComesBackByItself) {
  world_.Open();
  Write(0, 3);
  {
    const ScopedFailpoints failpoints("log.sync=error;log.create=nospace");
    EXPECT_FALSE(world_.Put("c", "k0", "lost"));
    EXPECT_FALSE(world_.Put("c", "k0", "lost"));
    EXPECT_EQ(world_.Get("c", "k0"), "v") << "reads go on";
    const ServiceStatus status = world_.service->GetStatus();
    EXPECT_TRUE(status.is_log_failed);
    EXPECT_NE(status.log_error, "");
  }
  ASSERT_TRUE(test::Eventually([&] { return !world_.service->GetStatus().is_log_failed; }));
  EXPECT_TRUE(IsOk(world_.Put("c", "k0", "new")));
  EXPECT_EQ(world_.Get("c", "k0"), "new");
  world_.CrashAndReopen(Crash::kKill);
  EXPECT_EQ(world_.Get("c", "k0"), "new");
}

// --- --ack stores ---

TEST_F(RecoveryTest, AckByStoresMeansDurableInBoth) {
  world_.options.ack = AckMode::kStores;
  world_.Open();
  for (int i = 0; i < 20; ++i) {
    Must(world_.Put("c", "k", std::to_string(i)));
    for (const Role role : kRoles)
      ASSERT_EQ(test::ContentOf(*world_.disk(role).Durable()).at("c").at("k"), std::to_string(i));
  }
}

TEST_F(RecoveryTest, AckByStoresGoesOnWithoutAStoreThatLeaves) {
  world_.options.ack = AckMode::kStores;
  world_.Open();
  Write(0, 3);
  world_.unified->SetHook(
      [](FaultyStore::Call) -> Status { return Fail(ErrorCode::kIo, "broken"); });

  Write(3, 10);

  EXPECT_EQ(test::ContentOf(*world_.legacy->Durable()).at("c").size(), 10u);
  world_.unified->SetHook(nullptr);
  ExpectBothHold(10);
}

TEST_F(RecoveryTest, AckByStoresFromManyThreads) {
  world_.options.ack = AckMode::kStores;
  world_.Open();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 25; ++i)
        Must(world_.Put("c", std::to_string(thread) + "-" + std::to_string(i), "v"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(test::ContentOf(*world_.legacy->Durable()).at("c").size(), 100u);
  EXPECT_EQ(test::ContentOf(*world_.unified->Durable()).at("c").size(), 100u);
}

}  // namespace
}  // namespace switchback
