#include "rollback/rollout/rollout_machine.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using namespace std::chrono_literals;
using test::FailsWith;
using test::IsOk;

constexpr std::uint32_t kPercent = 1000;

RolloutRecord NewRecord(const std::vector<std::uint32_t>& percentages,
                        std::chrono::milliseconds interval = 10s, std::uint64_t operations = 100) {
  RolloutRecord record;
  record.operation = 7;
  record.actor = "ann";
  for (const std::uint32_t percentage : percentages)
    record.steps.push_back(PointAt(nullptr, true, percentage * kPercent));
  record.interval = interval;
  record.operations_min = operations;
  record.before = PointAt(nullptr, false, 0);
  return record;
}

// A file, a machine and what a shell does with both. Time is what a test says.
class World {
 public:
  explicit World(std::optional<std::string> content = std::nullopt) : file(std::move(content)) {}

  RolloutFile File() const {
    if (is_broken) return {RolloutFile::Kind::kBroken, "", "no JSON"};
    if (is_unreadable) return {RolloutFile::Kind::kUnreadable, "", "EIO"};
    if (!file) return {RolloutFile::Kind::kAbsent, "", "no such file"};
    return {RolloutFile::Kind::kValid, *file, ""};
  }
  RolloutSight Sight() { return {now, File(), operations, tripped, hold, refused, may_write}; }
  // As after kill -9: all that is left is the record and the file.
  void Restart(std::optional<SteadyTime> new_time = std::nullopt) {
    machine = RolloutMachine(*RolloutRecordFromJson(RolloutRecordToJson(stored)));
    operations = 0;
    if (new_time) now = *new_time;
  }
  void Begin(RolloutRecord record) {
    record.written = file.value_or("");
    ASSERT_TRUE(IsOk(machine.Begin(std::move(record))));
    stored = machine.record();
    Look();
  }
  void Look() {
    const bool has_to_write = machine.Look(Sight());
    stored = machine.record();
    if (!has_to_write) return;
    file = machine.record().writing->flag;
    ++writes;
    machine.OnWritten();
    stored = machine.record();
  }
  // Looks each second.
  void Pass(std::chrono::seconds time, std::uint64_t operations_per_second = 50) {
    for (auto second = 0s; second < time; second += 1s) {
      now += 1s;
      operations += operations_per_second;
      Look();
    }
  }
  RolloutState state() const { return machine.record().state; }
  std::size_t step() const { return machine.record().step; }
  std::string FlagAt(std::size_t index) const { return machine.record().steps[index].flag; }

  std::optional<std::string> file;
  bool is_broken = false, is_unreadable = false;
  SteadyTime now{1h};
  std::uint64_t operations = 1'000'000;
  std::string tripped, hold, refused, may_write;
  int writes = 0;
  RolloutMachine machine{RolloutRecord()};
  RolloutRecord stored;
};

TEST(RolloutMachine, GoesFromStepToStepAndEnds) {
  World world;
  world.Begin(NewRecord({1, 25, 100}));
  EXPECT_EQ(world.file, world.FlagAt(0));

  world.Pass(9s);
  EXPECT_EQ(world.step(), 0u);
  world.Pass(1s);
  EXPECT_EQ(world.step(), 1u);
  EXPECT_EQ(world.file, world.FlagAt(1));
  world.Pass(10s);
  EXPECT_EQ(world.file, world.FlagAt(2));
  EXPECT_EQ(world.state(), RolloutState::kRunning) << "the last step lasts its interval too";
  world.Pass(10s);
  EXPECT_EQ(world.state(), RolloutState::kDone);
  EXPECT_EQ(world.writes, 3);
}

TEST(RolloutMachine, AStepNeedsItsReads) {
  World world;
  world.Begin(NewRecord({1, 100}, 10s, 100));
  world.Pass(60s, 1);
  EXPECT_EQ(world.step(), 0u);
  EXPECT_NE(world.machine.hold().find("60 of the 100 reads"), std::string::npos)
      << world.machine.hold();
  world.Pass(40s, 1);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, TimeDoesNotCountWhileSomethingSpeaksAgainstIt) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.Pass(5s);
  world.hold = "the guard sees errors";
  world.Pass(60s);
  EXPECT_EQ(world.step(), 0u);
  EXPECT_EQ(world.machine.hold(), "the guard sees errors");
  world.hold = "";
  world.Pass(4s);
  EXPECT_EQ(world.step(), 0u);
  world.Pass(1s);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, AClockThatJumpsOrAProcessThatStandsStillEndsNoStep) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.operations += 1000;
  world.now += 24h;
  world.Look();
  EXPECT_EQ(world.step(), 0u);
  EXPECT_EQ(world.machine.record().elapsed, kRolloutLookMax);
  world.now -= 48h;
  world.Look();
  EXPECT_EQ(world.machine.record().elapsed, kRolloutLookMax);
  world.Pass(8s);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, GoesOnAfterARestartWithWhatWasKept) {
  World world;
  world.Begin(NewRecord({1, 25, 100}));
  world.Pass(6s);
  world.Restart(SteadyTime{5s});  // another boot: the steady clock begins anew
  world.Pass(3s);
  EXPECT_EQ(world.step(), 0u) << "the first look after a start counts no time";
  world.Pass(2s);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, ACrashBeforeOrAfterTheWriteEndsInTheSame) {
  for (const bool is_written : {false, true}) {
    World world;
    world.Begin(NewRecord({1, 100}));
    world.Pass(9s);
    world.now += 1s;
    world.operations += 50;
    ASSERT_TRUE(world.machine.Look(world.Sight()));
    world.stored = world.machine.record();  // what it is about to write is kept
    if (is_written) world.file = world.FlagAt(1);

    world.Restart();
    world.Look();

    EXPECT_EQ(world.state(), RolloutState::kRunning);
    EXPECT_EQ(world.file, world.FlagAt(1));
    EXPECT_EQ(world.machine.record().elapsed, 0ms);
    EXPECT_FALSE(world.machine.record().writing);
  }
}

TEST(RolloutMachine, APersonsEditStopsItForGood) {
  World world;
  world.Begin(NewRecord({1, 25, 100}));
  world.Pass(3s);
  world.file = PointAt(nullptr, true, 3 * kPercent).flag;
  world.Pass(1s);
  EXPECT_EQ(world.state(), RolloutState::kStoppedByEdit);
  EXPECT_NE(world.machine.record().note.find("\"percentage\":3,"), std::string::npos)
      << world.machine.record().note;
  const auto edited = world.file;
  world.Pass(60s);
  EXPECT_EQ(world.file, edited);
  EXPECT_TRUE(FailsWith(world.machine.Promote("ann", ""), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(world.machine.Resume("ann", ""), ErrorCode::kNotFound));
  EXPECT_TRUE(
      FailsWith(world.machine.Abort("ann", "", false, {}, world.File()), ErrorCode::kRefused));
  EXPECT_EQ(world.writes, 1);
}

TEST(RolloutMachine, AnEditBetweenTheIntentAndTheWriteIsLeftAlone) {
  World world{std::string()};
  world.machine.Look(world.Sight());
  RolloutRecord record = NewRecord({1, 100});
  ASSERT_TRUE(IsOk(world.machine.Begin(record)));
  world.file = PointAt(nullptr, false, 0).flag;
  world.Look();
  EXPECT_EQ(world.state(), RolloutState::kStoppedByEdit);
  EXPECT_EQ(world.writes, 0);
}

TEST(RolloutMachine, ABrokenOrAbsentFileIsAnEditOnceItStaysSo) {
  for (const bool is_absent : {false, true}) {
    World world;
    world.Begin(NewRecord({1, 100}));
    const auto before = world.file;
    const auto spoil = [&](bool is_spoilt) {
      world.is_broken = is_spoilt && !is_absent;
      world.file = is_spoilt && is_absent ? std::nullopt : before;
    };
    spoil(true);
    world.now += 10ms;
    world.Look();
    world.now += 10ms;
    world.Look();
    EXPECT_EQ(world.state(), RolloutState::kRunning);
    EXPECT_NE(world.machine.hold(), "");
    spoil(false);
    world.Pass(2s);
    EXPECT_EQ(world.machine.hold(), "");
    spoil(true);
    world.Pass(2s);
    EXPECT_EQ(world.state(), RolloutState::kStoppedByEdit);
  }
}

TEST(RolloutMachine, AFileThatTheDiskDoesNotGiveIsNoEdit) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.is_unreadable = true;
  world.Pass(60s);
  EXPECT_EQ(world.state(), RolloutState::kRunning);
  EXPECT_EQ(world.step(), 0u);
  EXPECT_NE(world.machine.hold().find("EIO"), std::string::npos);
}

TEST(RolloutMachine, ATripEndsItAndLeavesTheFileUntilSomebodyAborts) {
  World world;
  world.Begin(NewRecord({1, 25, 100}));
  world.Pass(12s);
  world.tripped = "guard 3: too many errors";
  world.Pass(30s);
  EXPECT_EQ(world.state(), RolloutState::kAborted);
  EXPECT_EQ(world.machine.record().note, "guard 3: too many errors");
  EXPECT_FALSE(world.machine.record().is_cancelled);
  EXPECT_EQ(world.file, world.FlagAt(1));
  world.tripped = "";
  world.Pass(30s);
  EXPECT_EQ(world.file, world.FlagAt(1)) << "letting go of the guard does not begin it again";

  ASSERT_TRUE(IsOk(world.machine.Abort("ann", "", false, {}, world.File())));
  world.Look();
  EXPECT_EQ(world.state(), RolloutState::kAborted);
  EXPECT_EQ(world.file, PointAt(nullptr, false, 0).flag);
}

TEST(RolloutMachine, AbortAfterATripLeavesAnEditAlone) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.tripped = "guard 3";
  world.Pass(1s);
  world.file = PointAt(nullptr, true, 3 * kPercent).flag;
  EXPECT_TRUE(
      FailsWith(world.machine.Abort("ann", "", false, {}, world.File()), ErrorCode::kRefused));
  EXPECT_EQ(world.state(), RolloutState::kAborted);
}

TEST(RolloutMachine, AbortGoesBackToTheShareOfBeforeAlsoThroughACrash) {
  World world(PointAt(nullptr, true, 10 * kPercent).flag);
  RolloutRecord record = NewRecord({25, 100});
  record.before = PointAt(nullptr, true, 10 * kPercent);
  world.Begin(record);
  world.Pass(3s);
  ASSERT_TRUE(IsOk(world.machine.Abort("ann", "slow", false, {}, world.File())));
  EXPECT_EQ(world.state(), RolloutState::kAborting);
  world.stored = world.machine.record();
  world.Restart();
  world.tripped = "guard 1";  // no reason not to go back
  world.Look();
  EXPECT_EQ(world.state(), RolloutState::kAborted);
  EXPECT_EQ(world.machine.record().note, "aborted by ann: slow");
  EXPECT_EQ(world.file, PointAt(nullptr, true, 10 * kPercent).flag);
}

TEST(RolloutMachine, AbortToZeroSwitchesTheFlagOff) {
  World world;
  world.Begin(NewRecord({25, 100}));
  const FlagPoint zero = PointAt(nullptr, false, 25 * kPercent);
  ASSERT_TRUE(IsOk(world.machine.Abort("ann", "", true, zero, world.File())));
  world.Look();
  EXPECT_EQ(world.file, zero.flag);
  EXPECT_TRUE(world.machine.record().is_cancelled);
}

TEST(RolloutMachine, AnAbortBeforeAnythingWasWrittenWritesNothing) {
  World world;
  world.may_write = "unified is not in sync";
  world.Begin(NewRecord({25, 100}));
  EXPECT_EQ(world.machine.hold(), "unified is not in sync");
  ASSERT_TRUE(IsOk(world.machine.Abort("ann", "", false, {}, world.File())));
  world.Pass(3s);
  EXPECT_EQ(world.state(), RolloutState::kAborted);
  EXPECT_EQ(world.file, std::nullopt);
}

TEST(RolloutMachine, PauseKeepsTheShareAndResumeGoesOnWithTheStep) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.Pass(6s);
  ASSERT_TRUE(IsOk(world.machine.Pause("ann")));
  EXPECT_TRUE(FailsWith(world.machine.Pause("ann"), ErrorCode::kNotFound));
  world.Pass(60s);
  EXPECT_EQ(world.step(), 0u);
  EXPECT_EQ(world.file, world.FlagAt(0));
  EXPECT_TRUE(FailsWith(world.machine.Resume("ann", "not verified"), ErrorCode::kRefused));
  ASSERT_TRUE(IsOk(world.machine.Resume("ann", "")));
  world.Pass(3s);
  EXPECT_EQ(world.step(), 0u);
  world.Pass(1s);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, PromoteSaysWhatItSkipped) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.Pass(3s, 10);
  ASSERT_TRUE(IsOk(world.machine.Promote("ann", "")));
  world.Look();
  EXPECT_EQ(world.file, world.FlagAt(1));
  EXPECT_EQ(world.machine.record().note,
            "promoted by ann: step 1 of 2 (1 %) had lasted 3.0 of 10.0 s with 30 of 100 reads");
  EXPECT_TRUE(IsOk(world.machine.Promote("ann", "unified is not in sync")))
      << "the last one writes nothing";
  EXPECT_EQ(world.state(), RolloutState::kDone);
  EXPECT_TRUE(FailsWith(world.machine.Promote("ann", ""), ErrorCode::kNotFound));
}

TEST(RolloutMachine, AFlagThatWasRefusedPausesIt) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.refused = "not verified";
  world.Pass(1s);
  EXPECT_EQ(world.state(), RolloutState::kPaused);
  EXPECT_NE(world.machine.record().note.find("not verified"), std::string::npos);
}

TEST(RolloutMachine, AStepThatWouldBeRefusedWaits) {
  World world;
  world.Begin(NewRecord({1, 100}));
  world.may_write = "not verified";
  world.Pass(30s);
  EXPECT_EQ(world.step(), 0u);
  EXPECT_EQ(world.machine.hold(), "not verified");
  world.may_write = "";
  world.Pass(1s);
  EXPECT_EQ(world.step(), 1u);
}

TEST(RolloutMachine, OnlyOneAtATime) {
  World world;
  world.Begin(NewRecord({1, 100}));
  EXPECT_TRUE(FailsWith(world.machine.Begin(NewRecord({1, 100})), ErrorCode::kRefused));
  ASSERT_TRUE(IsOk(world.machine.Pause("ann")));
  EXPECT_TRUE(FailsWith(world.machine.Begin(NewRecord({1, 100})), ErrorCode::kRefused));
}

TEST(RolloutRecord, SurvivesBeingWrittenDown) {
  RolloutRecord record = NewRecord({1, 5, 100});
  record.state = RolloutState::kPaused;
  record.note = "quotes \" and \\";
  record.step = 1;
  record.writing = record.steps[1];
  record.written = record.steps[0].flag;
  record.elapsed = 1234ms;
  record.is_cancelled = true;
  EXPECT_EQ(RolloutRecordFromJson(RolloutRecordToJson(record)), record);
  EXPECT_EQ(RolloutRecordFromJson(RolloutRecordToJson(RolloutRecord())), RolloutRecord());
  for (const char* text : {"", "[]", "{}", R"({"version":2})", R"({"version":1,"state":"x"})"})
    EXPECT_EQ(RolloutRecordFromJson(text), std::nullopt) << text;
}

// What no schedule may do, whatever happens in between.
class Storm {
 public:
  explicit Storm(unsigned seed) : random_(seed) {}

  void Run() {
    world_.Begin(NewRecord({1, 5, 25, 50, 100}, 8s, 60));
    for (int event = 0; event < 400 && !HasFailure(); ++event) {
      Disturb();
      Look();
    }
  }

 private:
  static bool HasFailure() { return ::testing::Test::HasFailure(); }
  bool OneIn(unsigned count) { return random_() % count == 0; }

  void Disturb() {
    is_by_hand_ = false;
    if (OneIn(5)) world_.hold = OneIn(2) ? "held" : "";
    if (OneIn(20)) world_.may_write = OneIn(3) ? "refused" : "";
    if (OneIn(400)) world_.tripped = "guard 1";
    if (OneIn(400)) Edit();
    if (OneIn(25)) world_.is_unreadable = !world_.is_unreadable;
    if (OneIn(40)) (void)world_.machine.Pause("ann");
    if (OneIn(20)) (void)world_.machine.Resume("ann", world_.may_write);
    if (OneIn(200)) is_by_hand_ = world_.machine.Promote("ann", world_.may_write).has_value();
    if (OneIn(400)) {
      is_by_hand_ = true;
      (void)world_.machine.Abort("ann", "", OneIn(2), PointAt(nullptr, false, 1), world_.File());
    }
    if (is_by_hand_) world_.stored = world_.machine.record();
    if (OneIn(15)) world_.Restart(OneIn(2) ? std::optional(SteadyTime{1s}) : std::nullopt);
    if (OneIn(10)) world_.now += OneIn(2) ? 10h : -10h;
  }
  void Edit() {
    edited_ = PointAt(nullptr, true, static_cast<std::uint32_t>(random_() % 100'000)).flag;
    world_.file = edited_;
  }

  void Look() {
    const auto passed = std::chrono::milliseconds(random_() % 1500);
    world_.now += passed;
    const std::uint64_t reads = random_() % 30;
    world_.operations += reads;
    const RolloutRecord before = world_.machine.record();
    const bool was_held = !world_.hold.empty();
    const auto file = world_.file;
    const bool has_to_write = world_.machine.Look(world_.Sight());
    world_.stored = world_.machine.record();
    Check(before, was_held, has_to_write);
    if (!has_to_write) return;
    const int crash = OneIn(10) ? static_cast<int>(random_() % 2) : -1;
    if (crash == 0) return world_.Restart();  // before the write
    ASSERT_FALSE(edited_) << "it wrote over an edit";
    world_.file = world_.machine.record().writing->flag;
    if (crash == 1) return world_.Restart();  // after it
    world_.machine.OnWritten();
    world_.stored = world_.machine.record();
  }

  void Check(const RolloutRecord& before, bool was_held, bool has_to_write) {
    const RolloutRecord& after = world_.machine.record();
    if (edited_) {
      EXPECT_FALSE(has_to_write);
    }
    if (!before.IsActive()) {
      EXPECT_EQ(after.state, before.state);
    }
    if (after.step == before.step || is_by_hand_) return;
    EXPECT_EQ(after.step, before.step + 1);
    EXPECT_FALSE(was_held);
    EXPECT_GE(before.elapsed + kRolloutLookMax, before.interval);
    EXPECT_GE(before.operations + 30, before.operations_min);
  }

  std::mt19937 random_;
  World world_;
  std::optional<std::string> edited_;
  bool is_by_hand_ = false;
};

TEST(RolloutMachine, NoScheduleSkipsAStepOrWritesOverAnEdit) {
  for (unsigned seed = 1; seed <= 500 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm(seed).Run();
  }
}

}  // namespace
}  // namespace switchback
