// What a store may do wrong, and what the service makes of it (I5, I8).
#include "service/follower.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "service/follower_state.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using test::Content;
using test::FailsWith;
using test::FaultyStore;
using test::IsOk;
using test::Must;
using test::ScopedFailpoints;
using test::ServiceWorld;
using namespace std::chrono_literals;

class FollowerTest : public ::testing::Test {
 protected:
  // Every call on the store fails from now on.
  static void Break(FaultyStore& disk, ErrorCode code = ErrorCode::kIo) {
    disk.SetHook([code](FaultyStore::Call) -> Status { return Fail(code, "broken"); });
  }
  static void Repair(FaultyStore& disk) { disk.SetHook(nullptr); }
  // Puts `count` records, each in a batch of its own.
  void Write(int count, const std::string& value = "v") {
    for (int i = 0; i < count; ++i) Must(world_.Put("c", "k" + std::to_string(i), value));
  }
  void ExpectEqualStores() {
    world_.Drain();
    EXPECT_EQ(world_.Stored(Role::kLegacy), world_.Stored(Role::kUnified));
  }
  std::uint64_t Applied(Role role) {
    return world_.service->GetStatus().followers[Index(role)].applied_sequence;
  }

  ServiceWorld world_;
};

TEST_F(FollowerTest, TheStateTableIsTheDiagram) {
  const auto edges = [](FollowerState from) {
    std::string names;
    for (const FollowerRule& to : kFollowerRules) {
      if (MayMove(from, to.state)) names += std::string(" ") + to.name;
    }
    return names;
  };
  EXPECT_EQ(edges(FollowerState::kDetached), " backfilling catching-up");
  EXPECT_EQ(edges(FollowerState::kBackfilling), " detached catching-up failed");
  EXPECT_EQ(edges(FollowerState::kCatchingUp), " detached in-sync failed");
  EXPECT_EQ(edges(FollowerState::kInSync), " catching-up failed");
  EXPECT_EQ(edges(FollowerState::kFailed), " detached backfilling catching-up");
  for (const FollowerRule& rule : kFollowerRules)
    EXPECT_EQ(&rule, &kFollowerRules[static_cast<std::size_t>(rule.state)]);
}

// A store that fails once leaves service, is opened anew, and comes back with everything.
TEST_F(FollowerTest, AStoreThatFailsOnceComesBackThroughCatchUp) {
  world_.Open();
  int round = 0;
  for (const char* point : {"backend.unified.apply", "backend.unified.commit",
                            "backend.unified.committed", "backend.unified.sync"}) {
    SCOPED_TRACE(point);
    const std::uint64_t failures_before =
        world_.service->GetStatus().followers[Index(Role::kUnified)].apply_failures;
    const ScopedFailpoints failpoints(std::string(point) + "=error@1");

    Write(20, "round " + std::to_string(++round));
    world_.Drain();

    ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
    EXPECT_EQ(world_.StateOf(Role::kLegacy), FollowerState::kInSync);
    EXPECT_EQ(world_.ReasonOf(Role::kUnified), "");
    const bool is_sync = std::string_view(point).ends_with("sync");
    EXPECT_EQ(world_.service->GetStatus().followers[Index(Role::kUnified)].apply_failures,
              failures_before + (is_sync ? 0 : 1));
    ExpectEqualStores();
  }
}

TEST_F(FollowerTest, ReadsGoToTheOtherStoreWhileOneIsOut) {
  world_.Open();
  Must(world_.Flip(100));
  Write(5, "old");
  world_.Drain();
  Break(*world_.unified);
  Write(5, "new");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));

  EXPECT_EQ(world_.Get("c", "k3"), "new");
  const auto becomes_effective = [&](double percentage) {
    return test::Eventually(
        [&] { return world_.service->GetStatus().routing.effective_percentage == percentage; });
  };
  ASSERT_TRUE(becomes_effective(0));
  const RoutingStatus routing = world_.service->GetStatus().routing;
  EXPECT_NE(routing.reason.find("unified is failed"), std::string::npos) << routing.reason;
  EXPECT_TRUE(IsOk(world_.Flip(100))) << "a store that failed for a while is no refusal";

  Repair(*world_.unified);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_TRUE(becomes_effective(100));
  EXPECT_EQ(world_.Get("c", "k3"), "new");
  ExpectEqualStores();
}

TEST_F(FollowerTest, TheLastStoreInSyncIsNotTakenAway) {
  world_.Open();
  Write(5, "old");
  world_.Drain();
  Break(*world_.unified);
  Break(*world_.legacy);
  Write(5, "new");
  ASSERT_TRUE(test::Eventually(
      [&] { return world_.StateOf(Role::kUnified) != world_.StateOf(Role::kLegacy); }));

  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(world_.Get("c", "k1"), "new");
    EXPECT_EQ(world_.Scan("c").size(), 5u);
  }
  Repair(*world_.unified);
  Repair(*world_.legacy);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerTest, NoSpaceIsWaitedOutInService) {
  world_.Open();
  Must(world_.Flip(100));
  Break(*world_.unified, ErrorCode::kNoSpace);
  Write(5);
  ASSERT_TRUE(test::Eventually([&] {
    return world_.service->GetStatus().followers[Index(Role::kUnified)].reason == "broken";
  }));

  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  EXPECT_EQ(world_.Get("c", "k1"), "v");
  Repair(*world_.unified);
  ExpectEqualStores();
}

// The memtable is at its budget because of one store: it leaves, writers go on.
TEST_F(FollowerTest, AStoreWithoutSpaceLeavesBeforeWritersStop) {
  world_.options.memtable_record_count_max = 16;
  world_.Open();
  Break(*world_.unified, ErrorCode::kNoSpace);

  Write(100);

  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kFailed);
  Repair(*world_.unified);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerTest, AnUnknownOutcomeIsAskedNotGuessed) {
  world_.Open();
  Write(3);
  world_.Drain();
  std::atomic<int> states_asked{0};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kState) ++states_asked;
    return {};
  });
  // All applied, but the follower is told it may be not: applying it again would do no harm to
  // these effects, so what counts is that the position was read.
  const ScopedFailpoints failpoints("backend.unified.committed=error@1");
  Must(world_.Put("c", "k", "once"));
  world_.Drain();

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_GE(states_asked, 1);
  EXPECT_EQ(Applied(Role::kUnified), 4u);
  world_.unified->SetHook(nullptr);
  ExpectEqualStores();
}

TEST_F(FollowerTest, AHungStoreLeavesServiceAndReturns) {
  world_.Open();
  Must(world_.Flip(100));
  Write(3, "old");
  world_.Drain();
  world_.unified->store()->HoldApplies();
  Write(3, "new");
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kLegacy) == 6; }));
  world_.clock.Advance(11s);

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  EXPECT_EQ(world_.StateOf(Role::kLegacy), FollowerState::kInSync);
  EXPECT_EQ(world_.Get("c", "k1"), "new");
  EXPECT_NE(world_.ReasonOf(Role::kUnified).find("no progress"), std::string::npos);
  Write(3, "newer");

  world_.unified->store()->ReleaseApplies();
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerTest, AHungStoreDoesNotStopWriters) {
  world_.options.memtable_record_count_max = 16;
  world_.Open();
  world_.unified->store()->HoldApplies();
  Write(12);
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kLegacy) == 12; }));
  world_.clock.Advance(6s);  // past the stall limit, and below that of the house-keeper

  Write(100);

  EXPECT_NE(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  world_.unified->store()->ReleaseApplies();
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerTest, BothStoresHungAreLeftInService) {
  world_.Open();
  world_.unified->store()->HoldApplies();
  world_.legacy->store()->HoldApplies();
  Write(3);
  world_.clock.Advance(1min);
  Write(3, "again");

  EXPECT_EQ(world_.Get("c", "k1"), "again");
  world_.unified->store()->ReleaseApplies();
  world_.legacy->store()->ReleaseApplies();
  ExpectEqualStores();
}

TEST_F(FollowerTest, ALaggingStoreCatchesUpFromTheLogWithATinyMemtable) {
  world_.options.memtable_record_count_max = 8;
  world_.options.log_file_bytes = 16384;
  world_.Open();
  Break(*world_.unified);
  for (int i = 0; i < 300; ++i) {
    Must(world_.Put("c", "k" + std::to_string(i % 50), std::string(200, 'v') + std::to_string(i)));
    if (i % 10 == 0) Must(world_.Delete("c", "k" + std::to_string(i % 7)));
  }
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  EXPECT_LT(Applied(Role::kUnified), 50u);

  Repair(*world_.unified);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
  EXPECT_EQ(world_.Stored(Role::kLegacy).at("c"), world_.Scan("c"));
}

TEST_F(FollowerTest, AStoreThatHoldsTheLogPastItsLimitIsGivenUp) {
  world_.options.log_file_bytes = 16384;
  world_.options.log_bytes_max = 3 * 16384;
  world_.Open();
  Break(*world_.unified);
  Write(1);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  for (int i = 0; i < 20; ++i) {
    Write(10, std::string(1000, 'x'));
    // As the checkpoints of a healthy store do in their own time.
    world_.clock.Advance(6s);
  }

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kDetached));
  EXPECT_NE(world_.ReasonOf(Role::kUnified).find("new fill"), std::string::npos);
  EXPECT_TRUE(FailsWith(world_.Flip(100), ErrorCode::kRefused));
  EXPECT_TRUE(test::Eventually([&] {
    world_.clock.Advance(6s);
    return world_.service->GetStatus().log_bytes <= 4 * 16384;
  })) << "the log is given back";

  Repair(*world_.unified);
  world_.Reopen();
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached) << "for good";
  EXPECT_EQ(world_.Get("c", "k5"), std::string(1000, 'x'));
}

TEST_F(FollowerTest, AStoreThatLostItsLastTransactionsCatchesUpBeforeItServes) {
  world_.Open();
  Must(world_.Flip(100));
  Write(5, "durable");
  world_.Drain();
  Write(5, "applied");
  ASSERT_TRUE(test::Eventually(
      [&] { return Applied(Role::kUnified) == 10 && Applied(Role::kLegacy) == 10; }));
  // The next sync fails, and the disk has dropped what it could not write.
  std::atomic<bool> has_lost{false};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kApply && !has_lost)
      return Fail(ErrorCode::kUnknownOutcome, "fsync failed");
    if (call == FaultyStore::Call::kReopen && !has_lost.exchange(true))
      world_.unified->LoseWhatIsNotDurable();
    return {};
  });
  Must(world_.Put("c", "trigger", "v"));

  ASSERT_TRUE(test::Eventually([&] { return has_lost.load(); }));
  EXPECT_EQ(world_.Get("c", "k1"), "applied");
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kUnified) == 11; }));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  world_.unified->SetHook(nullptr);
  EXPECT_EQ(world_.Get("c", "k1"), "applied");
  ExpectEqualStores();
}

// The same where it is the last store: it may not serve what it has lost, and the process lives.
TEST_F(FollowerTest, TheLastStoreLeavesWhenItHasLostTransactions) {
  world_.Open();
  Write(5, "durable");
  world_.Drain();
  Break(*world_.unified);
  Write(5, "applied");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kLegacy) == 10; }));
  std::atomic<bool> has_lost{false};
  world_.legacy->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kApply && !has_lost)
      return Fail(ErrorCode::kUnknownOutcome, "fsync failed");
    if (call == FaultyStore::Call::kReopen && !has_lost.exchange(true))
      world_.legacy->LoseWhatIsNotDurable();
    return {};
  });
  Must(world_.Put("c", "trigger", "v"));

  ASSERT_TRUE(test::Eventually([&] { return has_lost && Applied(Role::kLegacy) == 11; }));
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kInSync));
  EXPECT_EQ(world_.Get("c", "k1"), "applied");
  world_.legacy->SetHook(nullptr);
  Repair(*world_.unified);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

// Somebody has put other files in its place.
TEST_F(FollowerTest, AStoreThatIsAheadOfTheLogIsNotUsed) {
  world_.Open();
  Must(world_.Flip(100));
  Write(5, "v");
  world_.Drain();
  std::atomic<bool> is_other{false};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kApply && !is_other)
      return Fail(ErrorCode::kUnknownOutcome, "fsync failed");
    if (call == FaultyStore::Call::kReopen && !is_other.exchange(true))
      world_.unified->GoAhead(100);
    return {};
  });
  Must(world_.Put("c", "trigger", "v"));

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kLegacy) == 6; }));
  EXPECT_EQ(world_.Get("c", "trigger"), "v");
}

// A second sync after a failed one proves nothing unless something was written in between.
TEST_F(FollowerTest, AFailedSyncIsNotBelievedToHaveWorkedAfterAll) {
  world_.Open();
  std::atomic<int> syncs_to_fail{1};
  std::atomic<bool> has_failed{false}, has_written_since{false}, was_believed{false};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kApply && has_failed) has_written_since = true;
    if (call != FaultyStore::Call::kMakeDurable) return {};
    if (syncs_to_fail.fetch_sub(1) > 0) {
      has_failed = true;
      return Fail(ErrorCode::kUnknownOutcome, "fsync failed");
    }
    if (has_failed && !has_written_since) was_believed = true;
    return {};
  });
  Write(3);
  world_.Drain();

  EXPECT_TRUE(has_failed);
  EXPECT_FALSE(was_believed);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  world_.unified->SetHook(nullptr);
  EXPECT_EQ(test::ContentOf(*world_.unified->Durable()), world_.Stored(Role::kLegacy));
}

TEST_F(FollowerTest, AForeignCommitTakesTheStoreOutOfServiceForGood) {
  world_.Open();
  Must(world_.Flip(100));
  Write(3, "ours");
  world_.Drain();
  world_.unified->store()->CommitForeign("c", "k1", "theirs");
  world_.clock.Advance(2s);

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  EXPECT_EQ(world_.Get("c", "k1"), "ours") << "legacy answers";
  EXPECT_NE(world_.ReasonOf(Role::kUnified).find("another process"), std::string::npos);
  Write(3, "later");
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kFailed);
  EXPECT_TRUE(FailsWith(world_.service->AcceptForeignLegacy(), ErrorCode::kRefused));
}

TEST_F(FollowerTest, AForeignCommitWhileTheServiceWasDownIsNoticedAtOnce) {
  world_.Open();
  Write(3, "ours");
  Must(world_.Close());
  world_.legacy->store()->CommitForeign("c", "k1", "theirs");

  world_.Open();

  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kFailed));
  EXPECT_EQ(world_.Get("c", "k1"), "ours") << "unified answers";
}

TEST_F(FollowerTest, AnAcceptedForeignChangeOfLegacyServesAndUnifiedNeedsAFillForGood) {
  world_.Open();
  Must(world_.Flip(100));
  Write(3, "ours");
  world_.Drain();
  world_.legacy->store()->CommitForeign("c", "k1", "theirs");
  world_.clock.Advance(2s);
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kFailed));
  Must(world_.Put("c", "k2", "meanwhile"));

  ASSERT_TRUE(IsOk(world_.service->AcceptForeignLegacy()));

  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kInSync));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.Get("c", "k1"), "theirs");
  EXPECT_EQ(world_.Get("c", "k2"), "meanwhile");

  world_.CrashAndReopen(test::Crash::kKill);
  EXPECT_EQ(world_.Get("c", "k1"), "theirs");
  EXPECT_NE(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  EXPECT_NE(world_.StateOf(Role::kUnified), FollowerState::kCatchingUp);
}

TEST_F(FollowerTest, ALastStoreWithAForeignCommitLeavesAllTheSame) {
  world_.Open();
  Write(3, "ours");
  world_.Drain();
  Break(*world_.unified);
  Write(1, "new");
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
  world_.legacy->store()->CommitForeign("c", "k1", "theirs");
  world_.clock.Advance(2s);
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kFailed));

  const auto read = world_.TryGet("c", "unwritten");

  EXPECT_TRUE(FailsWith(read, ErrorCode::kUnavailable));
  EXPECT_EQ(world_.service->GetStatus().last_sequence, 4u);
  Repair(*world_.unified);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(world_.Get("c", "k0"), "new");
}

TEST_F(FollowerTest, DrainNamesTheStoreThatHoldsItUp) {
  world_.Open();
  world_.unified->store()->HoldApplies();
  Write(1);

  const Status drained = world_.service->Drain(50ms);

  ASSERT_TRUE(FailsWith(drained, ErrorCode::kBusy));
  EXPECT_NE(drained.error().message.find("unified"), std::string::npos);
  world_.unified->store()->ReleaseApplies();
  EXPECT_TRUE(IsOk(world_.service->Drain(1min)));
}

// --- Fills ---

// Hands out fixed steps.
class ScriptedFill : public FillSource {
 public:
  using Step = std::function<Result<FillStep>(const StoreState&)>;
  ScriptedFill(std::vector<Step> steps, std::atomic<int>* committed)
      : steps_(std::move(steps)), committed_(committed) {}
  Result<FillStep> Next(const StoreState& state) override {
    if (next_ >= steps_.size()) return Fail(ErrorCode::kIo, "no more steps");
    return steps_[next_](state);
  }
  void Committed() override {
    ++next_;
    ++*committed_;
  }

 private:
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  std::atomic<int>* committed_;
};

class FollowerFillTest : public FollowerTest {
 protected:
  // Legacy has records that unified lacks.
  void OpenAdopted() {
    CollectionCatalog catalog;
    const Effect effect{EffectKind::kPut, Must(catalog.Intern("c")), "adopted", "v"};
    world_.legacy->store()->Commit({&effect, 1}, StoreState{});
    world_.Open();
    ASSERT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  }
  // One step that holds everything of legacy as of a snapshot.
  ScriptedFill::Step WholeCopy() {
    return [this](const StoreState& state) -> Result<FillStep> {
      const auto snapshot = world_.legacy->Newest();
      FillStep step;
      copied_ = std::make_unique<Content>(test::ContentOf(*snapshot));
      for (const auto& [name, records] : *copied_) {
        for (const auto& [key, value] : records)
          step.effects.push_back({EffectKind::kPut, &world_.collection(name), key, value});
      }
      step.state = state;
      step.state.applied_sequence = snapshot->state.applied_sequence;
      step.state.is_filling = false;
      return step;
    };
  }
  static ScriptedFill::Step Failing(ErrorCode code) {
    return [code](const StoreState&) -> Result<FillStep> { return Fail(code, "step failed"); };
  }
  Status StartFill(std::vector<ScriptedFill::Step> steps, FillMode mode = FillMode::kFromScratch) {
    return world_.service->StartFill(Role::kUnified, mode,
                                     std::make_unique<ScriptedFill>(std::move(steps), &committed_));
  }

  std::unique_ptr<Content> copied_;
  std::atomic<int> committed_{0};
};

TEST_F(FollowerFillTest, AFilledStoreCatchesUpAndMayBeFlippedTo) {
  OpenAdopted();
  Write(5);

  ASSERT_TRUE(IsOk(StartFill({WholeCopy()})));
  Write(5, "during");

  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(committed_, 1);
  EXPECT_TRUE(IsOk(world_.Flip(100)));
  EXPECT_EQ(world_.Get("c", "adopted"), "v");
  EXPECT_EQ(world_.Get("c", "k3"), "during");
  ExpectEqualStores();
  world_.Reopen();
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kInSync);
}

TEST_F(FollowerFillTest, AFillOfAStoreInSyncOrFromOneThatIsNotIsRefused) {
  OpenAdopted();
  EXPECT_TRUE(
      FailsWith(world_.service->StartFill(
                    Role::kLegacy, FillMode::kFromScratch,
                    std::make_unique<ScriptedFill>(std::vector<ScriptedFill::Step>{}, &committed_)),
                ErrorCode::kRefused))
      << "the source is detached";
  Must(StartFill({WholeCopy()}));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_TRUE(FailsWith(StartFill({WholeCopy()}), ErrorCode::kRefused));
}

TEST_F(FollowerFillTest, AFillThatCannotBeginLeavesTheStoreDetached) {
  OpenAdopted();
  world_.unified->SetHook([](FaultyStore::Call call) -> Status {
    if (call != FaultyStore::Call::kReset) return {};
    return Fail(ErrorCode::kRefused, "tables of others");
  });

  Must(StartFill({WholeCopy()}));

  ASSERT_TRUE(test::Eventually([&] {
    return world_.ReasonOf(Role::kUnified).find("tables of others") != std::string::npos;
  }));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.Get("c", "adopted"), "v");
  Repair(*world_.unified);
  Must(StartFill({WholeCopy()}));
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
}

TEST_F(FollowerFillTest, AResumeWithoutAnythingToResumeIsRefused) {
  OpenAdopted();
  Must(StartFill({WholeCopy()}, FillMode::kResume));

  ASSERT_TRUE(test::Eventually([&] {
    return world_.ReasonOf(Role::kUnified).find("could not begin") != std::string::npos;
  }));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
}

TEST_F(FollowerFillTest, OneFillAtATime) {
  OpenAdopted();
  std::latch is_running(1), may_go_on(1);
  Must(StartFill({[&](const StoreState& state) {
    is_running.count_down();
    may_go_on.wait();
    return WholeCopy()(state);
  }}));
  is_running.wait();

  EXPECT_TRUE(FailsWith(StartFill({WholeCopy()}), ErrorCode::kConflict));
  may_go_on.count_down();
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
}

TEST_F(FollowerFillTest, AStepThatFailsIsAskedForAgain) {
  OpenAdopted();
  std::atomic<int> attempts{0};
  Must(StartFill({[&](const StoreState& state) -> Result<FillStep> {
    if (++attempts < 3) return Fail(ErrorCode::kIo, "not now");
    return WholeCopy()(state);
  }}));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(attempts, 3);
}

TEST_F(FollowerFillTest, AFillWhoseLogIsGoneMustBeginAnew) {
  OpenAdopted();
  Must(StartFill({Failing(ErrorCode::kNotFound)}));

  ASSERT_TRUE(test::Eventually([&] {
    return world_.ReasonOf(Role::kUnified).find("begin the fill anew") != std::string::npos;
  }));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  Must(StartFill({WholeCopy()}));
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
}

TEST_F(FollowerFillTest, ASourceThatIsBusyIsAskedAgainAndTheTargetLeftAlone) {
  OpenAdopted();
  std::atomic<int> attempts{0}, reopened{0};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kReopen) ++reopened;
    return {};
  });
  Must(StartFill({[&](const StoreState& state) -> Result<FillStep> {
    if (++attempts < 3) return Fail(ErrorCode::kBusy, "the source has yet to catch up");
    return WholeCopy()(state);
  }}));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(reopened, 0);
  EXPECT_EQ(world_.ReasonOf(Role::kUnified), "");
  world_.unified->SetHook(nullptr);
}

TEST_F(FollowerFillTest, ACancelledFillSaysHowToGoOn) {
  OpenAdopted();
  Must(StartFill({Failing(ErrorCode::kCancelled)}));

  ASSERT_TRUE(test::Eventually([&] {
    return world_.ReasonOf(Role::kUnified) ==
           "step failed; go on with it by `switchback migrate start`";
  }));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  Must(StartFill({WholeCopy()}, FillMode::kResume));
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerFillTest, AStoreErrorDuringTheFillIsOvercome) {
  OpenAdopted();
  const ScopedFailpoints failpoints("backend.unified.commit=error@2");  // @1 begins the fill
  Must(StartFill({WholeCopy()}));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  ExpectEqualStores();
}

TEST_F(FollowerFillTest, AnInterruptedFillIsThereToBeResumed) {
  OpenAdopted();
  std::latch has_begun(1);
  std::atomic<bool> is_first{true};
  Must(StartFill({[&](const StoreState&) -> Result<FillStep> {
    if (is_first.exchange(false)) has_begun.count_down();
    return Fail(ErrorCode::kIo, "interrupted");
  }}));
  has_begun.wait();
  world_.CrashAndReopen(test::Crash::kKill);
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);  // holds no log back
  EXPECT_TRUE(FailsWith(world_.Flip(100), ErrorCode::kRefused));

  Must(StartFill({WholeCopy()}, FillMode::kResume));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(world_.Get("c", "adopted"), "v");
}

TEST_F(FollowerFillTest, AFillThatHasBegunSurvivesAPowerCut) {
  OpenAdopted();
  std::atomic<bool> has_begun{false};
  Must(StartFill({[&](const StoreState&) -> Result<FillStep> {
    has_begun = true;
    return Fail(ErrorCode::kIo, "interrupted");
  }}));
  ASSERT_TRUE(test::Eventually([&] { return has_begun.load(); }));

  world_.CrashAndReopen(test::Crash::kPowerCut);

  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  Must(StartFill({WholeCopy()}, FillMode::kResume));
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(world_.Get("c", "adopted"), "v");
}

// Without writes the sequence stays where it is, and the fill makes progress all the same.
TEST_F(FollowerFillTest, TheStepsOfAFillAreMadeDurableNowAndThen) {
  OpenAdopted();
  const auto first = [this](const StoreState& state) -> Result<FillStep> {
    auto step = WholeCopy()(state);
    step->state.is_filling = true;
    step->state.fill_collection = "c";
    step->state.fill_key = "adopted";
    return step;
  };
  Must(StartFill({first, Failing(ErrorCode::kBusy)}));
  ASSERT_TRUE(test::Eventually([&] { return committed_ == 1; }));

  world_.clock.Advance(6s);

  EXPECT_TRUE(
      test::Eventually([&] { return world_.unified->Durable()->state.fill_key == "adopted"; }));
  EXPECT_EQ(Applied(Role::kUnified), 0u);
}

TEST_F(FollowerFillTest, AFilledStoreIsDurableBeforeItCountsAsFilled) {
  OpenAdopted();
  Must(StartFill({WholeCopy()}));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));

  world_.CrashAndReopen(test::Crash::kPowerCut);

  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kInSync);
  ExpectEqualStores();
}

TEST_F(FollowerFillTest, ALastStepWithAnUnknownOutcomeIsNotMadeTwice) {
  OpenAdopted();
  std::atomic<int> attempts{0};
  const ScopedFailpoints failpoints("backend.unified.committed=error@2");  // @1 begins the fill
  Must(StartFill({[&](const StoreState& state) {
    ++attempts;
    EXPECT_TRUE(state.is_filling);
    return WholeCopy()(state);
  }}));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(attempts, 1);
  ExpectEqualStores();
}

TEST_F(FollowerFillTest, AnInterruptedFillThatCannotReopenItsStoreTriesAgain) {
  OpenAdopted();
  Must(StartFill({Failing(ErrorCode::kIo)}));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kBackfilling));
  world_.CrashAndReopen(test::Crash::kPowerCut);
  std::atomic<int> failures_left{2};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call != FaultyStore::Call::kReopen || failures_left.fetch_sub(1) <= 0) return {};
    return Fail(ErrorCode::kIo, "not now");
  });

  Must(StartFill({WholeCopy()}, FillMode::kResume));

  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  world_.unified->SetHook(nullptr);
}

// Where the source is not in sync, a new fill is refused and an interrupted one waits.
TEST_F(FollowerFillTest, AnInterruptedFillGoesOnOnceItsSourceIsInSync) {
  OpenAdopted();
  Must(StartFill({Failing(ErrorCode::kIo)}));
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kBackfilling));
  world_.CrashAndReopen(test::Crash::kPowerCut);
  Write(5, "applied");
  ASSERT_TRUE(test::Eventually([&] { return Applied(Role::kLegacy) == 5; }));
  std::latch may_catch_up(1);
  std::atomic<bool> has_lost{false};
  world_.legacy->SetHook([&](FaultyStore::Call call) -> Status {
    if (call == FaultyStore::Call::kReopen && !has_lost.exchange(true))
      world_.legacy->LoseWhatIsNotDurable();
    if (call != FaultyStore::Call::kApply) return {};
    if (!has_lost) return Fail(ErrorCode::kUnknownOutcome, "fsync failed");
    may_catch_up.wait();
    return {};
  });
  Must(world_.Put("c", "trigger", "v"));
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kCatchingUp));

  EXPECT_TRUE(IsOk(StartFill({WholeCopy()}, FillMode::kResume)));
  EXPECT_TRUE(test::Eventually([&] {
    return world_.ReasonOf(Role::kUnified).find("legacy is catching-up") != std::string::npos;
  }));
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kBackfilling);
  EXPECT_EQ(committed_, 0);

  may_catch_up.count_down();
  EXPECT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
  EXPECT_EQ(committed_, 1);
  world_.legacy->SetHook(nullptr);
  ExpectEqualStores();
}

// A failed store that is being filled anew must not come back by itself in between.
TEST_F(FollowerFillTest, AFillOfAFailedStoreWinsOverItsRecovery) {
  world_.Open();
  Write(3);
  world_.Drain();
  for (int round = 0; round < 10; ++round) {
    Break(*world_.unified);
    Write(3, std::to_string(round));
    ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kFailed));
    Repair(*world_.unified);
    const Status started = StartFill({WholeCopy()});
    EXPECT_TRUE(started || started.error().code == ErrorCode::kRefused);
    ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
    ExpectEqualStores();
  }
}

using FollowerTaskTest = FollowerFillTest;

TEST_F(FollowerTaskTest, RunsOnTheStoresThreadAndReturnsWhatTheTaskReturned) {
  world_.Open();
  std::thread::id thread;
  const Status done = world_.service->RunOnStore(
      Role::kUnified,
      [&](Backend& backend) -> Status {
        thread = std::this_thread::get_id();
        EXPECT_TRUE(backend.State().has_value());
        return Fail(ErrorCode::kRefused, "because");
      },
      60s);

  EXPECT_TRUE(FailsWith(done, ErrorCode::kRefused));
  EXPECT_NE(thread, std::thread::id());
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(FollowerTaskTest, WritesGoOnWhileATaskRuns) {
  world_.Open();
  std::latch is_running(1), may_end(1);
  std::thread task([&] {
    Must(world_.service->RunOnStore(
        Role::kUnified,
        [&](Backend&) -> Status {
          is_running.count_down();
          may_end.wait();
          return {};
        },
        60s));
  });
  is_running.wait();

  Must(world_.Put("c", "k", "v"));
  EXPECT_EQ(world_.Get("c", "k"), "v");
  EXPECT_TRUE(FailsWith(world_.service->RunOnStore(
                            Role::kUnified, [](Backend&) { return Status{}; }, 60s),
                        ErrorCode::kConflict));

  may_end.count_down();
  task.join();
  Must(world_.Close());
  EXPECT_EQ(world_.Stored(Role::kUnified), world_.Stored(Role::kLegacy));
}

TEST_F(FollowerTaskTest, ATaskThatIsNotReachedInTimeDoesNotRun) {
  world_.Open();
  std::latch is_applying(1), may_go_on(1);
  std::atomic<bool> is_first{true};
  world_.unified->SetHook([&](FaultyStore::Call call) -> Status {
    if (call != FaultyStore::Call::kApply || !is_first.exchange(false)) return {};
    is_applying.count_down();
    may_go_on.wait();
    return {};
  });
  Must(world_.Put("c", "k", "v"));
  is_applying.wait();
  bool has_run = false;

  const Status outcome = world_.service->RunOnStore(
      Role::kUnified,
      [&](Backend&) {
        has_run = true;
        return Status{};
      },
      1ms);

  may_go_on.count_down();
  Must(world_.service->Drain(60s));
  EXPECT_TRUE(FailsWith(outcome, ErrorCode::kBusy));
  EXPECT_FALSE(has_run);
  world_.unified->SetHook(nullptr);
}

TEST_F(FollowerTaskTest, AClearedStoreIsAsIfNeverFilled) {
  world_.Open();
  Must(world_.Put("c", "k", "v"));

  Must(world_.service->ClearStore(Role::kUnified, "abandoned", 60s));

  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.Get("c", "k"), "v");
  EXPECT_TRUE(world_.Stored(Role::kUnified).empty());
  EXPECT_EQ(world_.unified->store()->State(), StoreState{});
  world_.Reopen();
  EXPECT_EQ(world_.StateOf(Role::kUnified), FollowerState::kDetached);
  EXPECT_EQ(world_.Get("c", "k"), "v");
}

TEST_F(FollowerTaskTest, TheOnlyStoreInSyncIsNotCleared) {
  OpenAdopted();  // unified is detached

  EXPECT_TRUE(FailsWith(world_.service->ClearStore(Role::kLegacy, "no", 60s), ErrorCode::kRefused));

  EXPECT_EQ(world_.Get("c", "adopted"), "v");
}

}  // namespace
}  // namespace switchback
