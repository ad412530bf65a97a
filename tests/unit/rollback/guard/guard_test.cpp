#include "rollback/guard/guard.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "common/file.hpp"
#include "rollback/latches.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using test::FailsWith;
using test::IsOk;
using test::Must;

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    Must(world_.Put("users", "a", "1"));
    world_.Drain();
    Must(world_.Flip(100));
    Arm();
  }
  void Arm(GuardSettings settings = {}) {
    hooks_.on_trip = [this](const GuardTrip& trip, const std::optional<Latched>&) {
      trips_.push_back(trip);
    };
    guard_.reset();
    latch_ = OpenRoutingLatch(world_.path(), *world_.service, clock_);
    guard_ = std::make_unique<Guard>(*world_.service, *latch_, clock_, settings, hooks_);
    guard_->Look();
  }
  // One tick in which a client reads.
  void Tick() {
    for (int read = 0; read < 20; ++read) EXPECT_EQ(world_.Get("users", "a"), "1");
    clock_.Advance(100ms);
    guard_->Look();
  }
  double effective() { return world_.service->GetStatus().routing.effective_percentage; }

  test::ServiceWorld world_;
  test::ShiftedClock clock_;
  GuardHooks hooks_;
  std::vector<GuardTrip> trips_;
  std::unique_ptr<Latch> latch_;
  std::unique_ptr<Guard> guard_;
};

TEST_F(GuardTest, AStoreThatFailsSendsEveryKeyBackAndStaysSoOverARestart) {
  for (int tick = 0; tick < 5; ++tick) Tick();
  EXPECT_EQ(guard_->GetStatus().state, "watching");
  world_.unified->FailGets(true);
  for (int tick = 0; tick < 3; ++tick) Tick();  // every read is answered all the while

  ASSERT_EQ(trips_.size(), 1u);
  EXPECT_EQ(trips_[0].stream.stream, GuardStream::kErrors);
  GuardStatus status = guard_->GetStatus();
  EXPECT_EQ(status.state, "tripped");
  ASSERT_TRUE(status.latched);
  EXPECT_EQ(status.latched->cause, kLatchByGuard);
  EXPECT_EQ(effective(), 0);
  const auto errors = world_.Metrics(Role::kUnified, Operation::kGet).errors;
  Tick();
  EXPECT_EQ(world_.Metrics(Role::kUnified, Operation::kGet).errors, errors);

  guard_.reset();
  world_.Reopen();
  world_.unified->FailGets(false);
  Arm();
  EXPECT_TRUE(FailsWith(world_.Flip(100), ErrorCode::kRefused));
  EXPECT_EQ(effective(), 0);
  EXPECT_TRUE(FailsWith(guard_->Rearm(status.latched->id + 1), ErrorCode::kNotFound));
  EXPECT_EQ(effective(), 0);
  ASSERT_TRUE(IsOk(guard_->Rearm(status.latched->id)));
  EXPECT_EQ(effective(), 100);
  EXPECT_EQ(guard_->GetStatus().state, "watching");
  EXPECT_TRUE(FailsWith(guard_->Rearm(status.latched->id), ErrorCode::kNotFound));
}

TEST_F(GuardTest, DryRunChangesNothing) {
  GuardSettings settings;
  settings.is_dry_run = true;
  Arm(settings);
  world_.unified->FailGets(true);
  for (int tick = 0; tick < 3; ++tick) Tick();
  ASSERT_EQ(trips_.size(), 1u);
  EXPECT_TRUE(trips_[0].is_dry_run);
  EXPECT_EQ(effective(), 100);
  EXPECT_EQ(guard_->GetStatus().dry_trips, 1u);
}

TEST_F(GuardTest, WhereNoKeyGoesToUnifiedNothingIsLatched) {
  Must(world_.Flip(0));
  world_.unified->SetHook([](test::FaultyStore::Call call) {
    return call == test::FaultyStore::Call::kApply ? Status(Fail(ErrorCode::kCorruption, "page 7"))
                                                   : Status{};
  });
  Must(world_.Put("users", "b", "1"));
  ASSERT_TRUE(test::Eventually(
      [&] { return world_.service->recent_errors().CorruptionCount(Role::kUnified) > 0; }));
  clock_.Advance(100ms);
  guard_->Look();
  EXPECT_EQ(guard_->GetStatus().state, "watching");
  EXPECT_FALSE(latch_->Current());
}

TEST_F(GuardTest, LegacyThatIsNotInSyncIsWaitedFor) {
  world_.legacy->SetHook([](test::FaultyStore::Call call) {
    return call == test::FaultyStore::Call::kReopen || call == test::FaultyStore::Call::kApply
               ? Status(Fail(ErrorCode::kIo, "no disk"))
               : Status{};
  });
  Must(world_.Put("users", "b", "1"));
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kFailed));
  world_.unified->FailScansAfter(0);
  (void)world_.session().Scan(world_.collection("users"), "",
                              [](std::string_view, std::string_view) { return true; });
  world_.session().EndTurn();
  clock_.Advance(100ms);
  guard_->Look();
  EXPECT_EQ(guard_->GetStatus().state, "waiting");
  EXPECT_EQ(guard_->GetStatus().alerts.size(), 1u);
  EXPECT_FALSE(latch_->Current());
  world_.unified->FailScansAfter(-1);
  EXPECT_EQ(world_.Get("users", "a"), "1") << "unified goes on answering";

  world_.legacy->SetHook(nullptr);
  ASSERT_TRUE(test::Eventually([&] {
    world_.clock.Advance(100ms);
    return world_.StateOf(Role::kLegacy) == FollowerState::kInSync;
  }));
  guard_->Look();
  EXPECT_EQ(guard_->GetStatus().state, "tripped");
  EXPECT_EQ(effective(), 0);
}

TEST_F(GuardTest, ALatchThatCannotBeStoredHoldsAllTheSame) {
  {
    const test::ScopedFailpoints failpoints("latch.store=nospace");
    EXPECT_TRUE(FailsWith(latch_->Engage(kLatchByOperator, "x", "{}"), ErrorCode::kNoSpace));
    EXPECT_EQ(effective(), 0);
    EXPECT_TRUE(FailsWith(latch_->Release(1), ErrorCode::kNoSpace));
    EXPECT_EQ(effective(), 0) << "who lets go must be sure that it stays so";
  }
  EXPECT_TRUE(IsOk(latch_->Release(1)));
  EXPECT_EQ(effective(), 100);
}

TEST_F(GuardTest, AssistedItAsksAPersonFirst) {
  GuardSettings settings;
  settings.escalation = GuardEscalation::kAssisted;
  int proposed = 0;
  hooks_.on_proposal = [&](const GuardProposal&) { ++proposed; };
  Arm(settings);
  world_.unified->FailGets(true);
  for (int tick = 0; tick < 20; ++tick) Tick();
  GuardStatus status = guard_->GetStatus();
  EXPECT_EQ(status.state, "proposed");
  ASSERT_TRUE(status.proposal);
  EXPECT_FALSE(status.acts_in);
  EXPECT_EQ(effective(), 100);
  EXPECT_EQ(proposed, 1);
  EXPECT_TRUE(FailsWith(guard_->Confirm(status.proposal->id + 1), ErrorCode::kNotFound));

  ASSERT_TRUE(IsOk(guard_->Dismiss(status.proposal->id)));
  EXPECT_EQ(guard_->GetStatus().state, "watching");
  for (int tick = 0; tick < 20; ++tick) Tick();
  status = guard_->GetStatus();
  ASSERT_TRUE(status.proposal) << "it goes on failing";
  EXPECT_EQ(status.proposal->id, 2u);
  ASSERT_TRUE(IsOk(guard_->Confirm(2)));
  EXPECT_EQ(guard_->GetStatus().state, "tripped");
  EXPECT_EQ(effective(), 0);
  EXPECT_EQ(trips_.size(), 1u);
}

TEST_F(GuardTest, ManualItOnlyTells) {
  GuardSettings settings;
  settings.escalation = GuardEscalation::kManual;
  Arm(settings);
  world_.unified->FailGets(true);
  for (int tick = 0; tick < 5; ++tick) Tick();
  EXPECT_EQ(guard_->GetStatus().state, "watching");
  ASSERT_FALSE(guard_->GetStatus().alerts.empty());
  EXPECT_EQ(guard_->GetStatus().alerts[0].severity, GuardSeverity::kCritical);
  EXPECT_EQ(effective(), 100);
}

TEST_F(GuardTest, AMajorFindingGoesBackInItsTimeUnlessSomebodySaysNo) {
  std::uint64_t memory = 100 << 20;
  hooks_.memory_bytes = [&] { return memory; };
  const auto grow = [&] {
    for (int look = 0; look < 200; ++look) {
      memory += 4 << 20;
      clock_.Advance(10s);
      guard_->Look();
    }
  };
  Arm();
  grow();
  ASSERT_EQ(guard_->GetStatus().state, "proposed");
  ASSERT_TRUE(guard_->GetStatus().acts_in);
  EXPECT_EQ(effective(), 100);
  ASSERT_TRUE(IsOk(guard_->Dismiss(guard_->GetStatus().proposal->id)));
  clock_.Advance(2h);
  guard_->Look();
  EXPECT_EQ(effective(), 100);

  Arm();
  grow();
  ASSERT_EQ(guard_->GetStatus().state, "proposed");
  clock_.Advance(1h);
  guard_->Look();
  EXPECT_EQ(guard_->GetStatus().state, "tripped");
  EXPECT_EQ(effective(), 0);
}

TEST_F(GuardTest, AnOperatorsWordDoesNotReplaceATrip) {
  const Latched trip = Must(latch_->Engage(kLatchByGuard, "errors", "{}"));
  EXPECT_EQ(Must(latch_->Engage(kLatchByOperator, "to be sure", "{}")).id, trip.id);
  EXPECT_EQ(latch_->Current()->cause, kLatchByGuard);
}

TEST_F(GuardTest, AFileThatCannotBeReadHolds) {
  for (const char* content : {"", "{", "[]", "{\"last_id\": -1}", "null",
                              R"({"last_id": 1, "engaged": null, "checksum": "0123"})"}) {
    std::ofstream(world_.path() + "/guard.json") << content;
    Arm();
    EXPECT_EQ(effective(), 0) << content;
    ASSERT_TRUE(latch_->Current());
    Must(latch_->Release(latch_->Current()->id));
  }
  EXPECT_EQ(effective(), 100);
}

}  // namespace
}  // namespace switchback
