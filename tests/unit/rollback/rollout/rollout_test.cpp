#include "rollback/rollout/rollout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "common/file.hpp"
#include "flags/flag_file.hpp"
#include "flags/flag_loader.hpp"
#include "tests/support/failpoints.hpp"
#include "tests/support/service_world.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using test::FailsWith;
using test::IsOk;
using test::Must;
using testing::HasSubstr;

const std::string kName(kUnifiedFlagName);

class RolloutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    Must(world_.Put("users", "a", "1"));
    world_.Drain();
    guard_.state = "watching";
    Open();
  }
  void Open() {
    journal_ = Must(Journal::Open(world_.path() + "/control.sqlite", world_.clock));
    rollout_ = Must(Rollout::Open({*world_.service, *journal_, world_.clock, flags_path_,
                                   [this] { return Load(); }, [this] { return guard_; }}));
  }
  // As after kill -9: what is on the disk, and nothing else.
  void Restart() {
    rollout_.reset();
    journal_.reset();
    (void)Load();  // as a server does at its start
    Open();
  }
  Status Load() {
    FlagLoader loader(flags_path_, world_.service->flags(), {});
    SB_RETURN_IF_ERROR(loader.Load());
    auto snapshot = std::make_shared<FlagSnapshot>(*world_.service->flags().Current());
    snapshot->load_count = ++loads_;
    world_.service->flags().Publish(snapshot);
    return world_.service->JudgeFlags();
  }
  RolloutRequest Request(std::vector<double> percentages = {25, 50, 100}) {
    RolloutRequest request;
    request.percentages = std::move(percentages);
    request.interval = 10s;
    request.operations_min = 5;
    request.actor = "ann";
    return request;
  }
  // With reads that unified answers.
  void Pass(std::chrono::seconds time, int reads = 40) {
    for (auto second = 0s; second < time; second += 1s) {
      for (int read = 0; read < reads; ++read)
        (void)world_.Get("users", "key" + std::to_string(read));
      world_.clock.Advance(1s);
      rollout_->Look();
    }
  }
  std::string state() { return RolloutStateName(rollout_->GetStatus().record.state); }
  double share() {
    const auto flags = LoadFlagFile(flags_path_);
    return flags && flags->contains(kName) ? flags->at(kName).share() / 1000.0 : -1;
  }
  double effective() { return world_.service->GetStatus().routing.effective_percentage; }
  OperationRecord NewestOperation() { return Must(journal_->Operations("rollout", 1)).at(0); }

  test::ServiceWorld world_;
  const std::string flags_path_ = world_.path() + "/flags.json";
  GuardStatus guard_;
  std::uint64_t loads_ = 0;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Rollout> rollout_;
};

TEST_F(RolloutTest, GoesToItsEndAndIsInTheJournal) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  EXPECT_EQ(share(), 25);
  EXPECT_EQ(effective(), 25);
  Pass(12s);
  EXPECT_EQ(effective(), 50);
  Pass(25s);
  EXPECT_EQ(effective(), 100);
  EXPECT_EQ(state(), "done");

  const OperationRecord operation = NewestOperation();
  EXPECT_EQ(operation.status, "done");
  EXPECT_EQ(operation.actor, "ann");
  ASSERT_EQ(operation.steps.size(), 3u);
  EXPECT_EQ(operation.steps[1].name, "50 %");
  EXPECT_EQ(operation.steps[1].status, "done");
}

TEST_F(RolloutTest, ARestartAtAnyMomentGoesOnWithTheSameStep) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  for (int second = 0; second < 200 && state() != "done"; ++second) {
    const double before = share();
    if (second % 6 == 0) Restart();
    Pass(1s);
    EXPECT_GE(share(), before);
  }
  EXPECT_EQ(state(), "done");
  EXPECT_EQ(NewestOperation().status, "done");
  EXPECT_EQ(NewestOperation().steps.size(), 3u);
}

TEST_F(RolloutTest, ACrashBeforeOrAfterTheFileIsWrittenEndsInTheSame) {
  for (const char* point : {"rollout.write=error", "rollout.written=error"}) {
    ASSERT_TRUE(IsOk(rollout_->Begin(Request({50, 100}))));
    {
      test::ScopedFailpoints fails(point);
      Pass(12s);
      EXPECT_EQ(effective(), 50) << point;
      Restart();
    }
    Pass(2s);
    EXPECT_EQ(effective(), 100) << point;
    EXPECT_EQ(state(), "running");
    ASSERT_TRUE(IsOk(rollout_->Abort("ann", "", true)));
    EXPECT_EQ(state(), "aborted");
    EXPECT_EQ(effective(), 0);
  }
}

TEST_F(RolloutTest, AStepThatTheJournalDoesNotTakeIsNotWritten) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  {
    test::ScopedFailpoints fails("rollout.store=error");
    Pass(20s);
    EXPECT_EQ(share(), 25);
    EXPECT_THAT(rollout_->GetStatus().hold, HasSubstr("journal"));
    EXPECT_TRUE(FailsWith(rollout_->Pause("ann"), ErrorCode::kIo));
    EXPECT_EQ(state(), "running");
  }
  Pass(2s);
  EXPECT_EQ(share(), 50);
}

TEST_F(RolloutTest, StartSaysAllThatSpeaksAgainstIt) {
  guard_.latched = Latched{3, "guard", "", "too many errors", "{}"};
  Must(WriteFileAtomically(flags_path_, R"({"USE_UNIFIED_DB_SERVICE": "yes"})"));

  const auto plan = Must(rollout_->Plan(Request({5, 1, 0, 101})));
  const std::string all = testing::PrintToString(plan.refusals);
  EXPECT_THAT(all, HasSubstr("1 % is not more than 5 %"));
  EXPECT_THAT(all, HasSubstr("0 % is not more than 5 %"));
  EXPECT_THAT(all, HasSubstr("101"));
  EXPECT_THAT(all, HasSubstr("flags file cannot be used"));
  EXPECT_THAT(all, HasSubstr("guard 3"));
  EXPECT_TRUE(FailsWith(rollout_->Begin(Request({5, 1})), ErrorCode::kRefused));
  EXPECT_TRUE(FailsWith(rollout_->Begin(Request({})), ErrorCode::kInvalidArgument));
  EXPECT_EQ(state(), "none");
  EXPECT_TRUE(Must(journal_->Operations("rollout", 1)).empty());
}

TEST_F(RolloutTest, StartIsRefusedForWhatTheServiceWouldRefuse) {
  world_.service->SetFlipGate([] { return Status(Fail(ErrorCode::kRefused, "not verified")); });
  const Status begun = rollout_->Begin(Request());
  ASSERT_TRUE(FailsWith(begun, ErrorCode::kRefused));
  EXPECT_THAT(begun.error().message, HasSubstr("not verified"));
  world_.service->SetFlipGate([] { return Status(); });

  Must(SetFlagInFile(flags_path_, kName, {.enabled = true, .percentage = 30}));
  EXPECT_THAT(rollout_->Begin(Request()).error().message, HasSubstr("30 % already"));
  ASSERT_TRUE(IsOk(rollout_->Begin(Request({30, 60}))));
  EXPECT_THAT(rollout_->Begin(Request({90})).error().message, HasSubstr("begun by ann"));
}

TEST_F(RolloutTest, AnEditStopsItAndStaysAsItIs) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  Must(SetFlagInFile(flags_path_, kName, {.enabled = false}));
  Pass(30s);
  EXPECT_EQ(state(), "stopped-by-edit");
  EXPECT_THAT(rollout_->GetStatus().record.note, HasSubstr("\"enabled\":false"));
  EXPECT_EQ(share(), 0);
  EXPECT_EQ(NewestOperation().status, "cancelled");
  Restart();
  Pass(30s);
  EXPECT_EQ(share(), 0);
}

TEST_F(RolloutTest, AChangeOfSomethingElseInTheFileIsNoEditOfTheFlag) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  Must(SetFlagInFile(flags_path_, "OTHER", {.enabled = true}));
  Pass(12s);
  EXPECT_EQ(share(), 50);
  EXPECT_TRUE(Must(LoadFlagFile(flags_path_)).contains("OTHER"));
}

TEST_F(RolloutTest, ListsAndSaltOfTheFlagStay) {
  Must(WriteFileAtomically(
      flags_path_,
      R"({"USE_UNIFIED_DB_SERVICE": {"enabled": false, "percentage": 7, "deny": ["x"]}})"));
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  EXPECT_EQ(Must(LoadFlagFile(flags_path_)).at(kName).deny(), std::vector<std::string>{"x"});
  ASSERT_TRUE(IsOk(rollout_->Abort("ann", "", false)));
  const FlagRule rule = Must(LoadFlagFile(flags_path_)).at(kName);
  EXPECT_FALSE(rule.enabled());
  EXPECT_EQ(rule.configured_share(), 7'000u);
}

TEST_F(RolloutTest, ATripEndsItAndAnAbortThenGoesBack) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  Pass(12s);
  guard_.latched = Latched{3, "guard", "", "too many errors", "{}"};
  world_.service->HoldRouting("guard 3");
  Pass(20s);
  EXPECT_EQ(state(), "aborted");
  EXPECT_THAT(rollout_->GetStatus().record.note, HasSubstr("too many errors"));
  EXPECT_EQ(share(), 50) << "the file shows what was asked for";
  EXPECT_EQ(effective(), 0);
  EXPECT_EQ(NewestOperation().status, "failed");

  ASSERT_TRUE(IsOk(rollout_->Abort("ann", "look at it first", false)));
  EXPECT_EQ(share(), 0);
  guard_.latched.reset();
  world_.service->HoldRouting("");
  EXPECT_EQ(effective(), 0);
}

TEST_F(RolloutTest, AnAbortAtTheMomentOfAStepGoesBackFromThatStep) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  Pass(9s);
  world_.clock.Advance(1s);
  ASSERT_TRUE(IsOk(rollout_->Abort("ann", "", false)));
  EXPECT_EQ(rollout_->GetStatus().record.step, 1u);
  EXPECT_EQ(state(), "aborted");
  EXPECT_EQ(share(), 0);
}

TEST_F(RolloutTest, TheGuardsDoubtHoldsIt) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  guard_.holds_ramp = true;
  Pass(30s);
  EXPECT_EQ(share(), 25);
  EXPECT_THAT(rollout_->GetStatus().hold, HasSubstr("no traffic"));
  guard_.streams.push_back({});
  guard_.streams[0].limit = 18.42;
  guard_.ramp_sum = 20;
  Pass(1s);
  EXPECT_THAT(rollout_->GetStatus().hold, HasSubstr("errors"));
  guard_.state = "off";
  Pass(12s);
  EXPECT_EQ(share(), 50);
}

TEST_F(RolloutTest, NoReadsHoldIt) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  Pass(30s, 0);
  EXPECT_EQ(share(), 25);
  EXPECT_THAT(rollout_->GetStatus().hold, HasSubstr("0 of the 5 reads"));
}

TEST_F(RolloutTest, AThreadOfItsOwnGoesOnAndStopsAtOnce) {
  RolloutRequest request = Request({50, 100});
  request.interval = kRolloutIntervalMin;
  request.operations_min = 0;
  rollout_->Start();
  ASSERT_TRUE(IsOk(rollout_->Begin(request)));
  EXPECT_TRUE(test::Eventually([&] { return state() == "done"; }));
  const auto begun = std::chrono::steady_clock::now();
  rollout_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  EXPECT_EQ(share(), 100);
}

TEST_F(RolloutTest, PauseResumeAndPromoteByHand) {
  ASSERT_TRUE(IsOk(rollout_->Begin(Request())));
  EXPECT_TRUE(FailsWith(rollout_->Resume("ann"), ErrorCode::kNotFound));
  ASSERT_TRUE(IsOk(rollout_->Pause("ann")));
  Restart();
  Pass(20s);
  EXPECT_EQ(state(), "paused");
  EXPECT_EQ(share(), 25);
  ASSERT_TRUE(IsOk(rollout_->Promote("bob")));
  EXPECT_EQ(effective(), 50);
  EXPECT_EQ(state(), "running");
  EXPECT_THAT(rollout_->GetStatus().record.note, HasSubstr("promoted by bob"));
  EXPECT_EQ(Must(journal_->AuditTrail(1)).at(0).action, "rollout.promote");
}

}  // namespace
}  // namespace switchback
