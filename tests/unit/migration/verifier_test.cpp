#include "migration/verifier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "tests/support/service_world.hpp"

namespace switchback::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VerifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world.Open();
    journal = Must(Journal::Open(journal_dir.File("control.sqlite"), world.clock));
    NewVerifier();
  }
  void TearDown() override {
    verifier.reset();
    world.service.reset();
  }
  void NewVerifier() {
    verifier.reset();
    verifier = std::make_unique<Verifier>(*world.service, *journal, world.clock, options);
  }

  // Behind the log's back. nullopt: deletes it.
  void Corrupt(Role role, const std::string& name, const std::string& key,
               const std::optional<std::string>& value) {
    const Effect effect{value ? EffectKind::kPut : EffectKind::kDelete, &world.collection(name),
                        key, value ? std::string_view(*value) : std::string_view()};
    MemoryStore& store = *world.disk(role).store();
    store.Commit(std::span(&effect, 1), store.State());
  }
  void FillBoth(int records) {
    for (int i = 0; i < records; ++i)
      Must(world.Put("a", std::to_string(1000 + i), "value " + std::to_string(i)));
    world.Drain();
  }
  VerifyStatus Finish() {
    EXPECT_TRUE(Eventually([&] {
      const std::string state = verifier->GetStatus().state;
      return state != "running";
    }));
    return verifier->GetStatus();
  }
  VerifyStatus Verify(VerifyOptions wanted = {}) {
    Must(verifier->Start(std::move(wanted), "test"));
    return Finish();
  }
  std::vector<std::string> Named() {
    std::vector<std::string> names;
    for (const NamedDifference& found : Must(verifier->Differences("", "", 1000)))
      names.push_back(found.collection + "/" + found.key + " " + found.kind);
    return names;
  }

  TempDir journal_dir;
  ServiceWorld world;
  VerifierOptions options;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<Verifier> verifier;
};

VerifierOptions SmallSteps() {
  VerifierOptions options;
  options.comparison.chunk.record_count_max = 10;
  options.window.bytes_max = 1;
  options.store_interval = std::chrono::milliseconds(0);
  return options;
}

TEST_F(VerifierTest, NothingWasAskedForYet) {
  EXPECT_EQ(verifier->GetStatus().state, "none");
  EXPECT_TRUE(FailsWith(verifier->Cancel(), ErrorCode::kNotFound));
  EXPECT_TRUE(FailsWith(verifier->SetRate(1), ErrorCode::kNotFound));
}

TEST_F(VerifierTest, EqualStoresAreClean) {
  FillBoth(100);

  const VerifyStatus status = Verify();

  EXPECT_EQ(status.state, "clean");
  EXPECT_EQ(status.records_compared, 100u);
  EXPECT_EQ(status.percent, 100.0);
  EXPECT_EQ(status.sequence, 100u);
  EXPECT_EQ(status.passes, 1u);
  EXPECT_FALSE(status.ended_at.empty());
  const auto operations = Must(journal->Operations("verify", 5));
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0].status, "done");
  EXPECT_EQ(operations[0].actor, "test");
}

TEST_F(VerifierTest, WhatWasWrittenBeforeIsComparedThoughNoStoreHasItYet) {
  Must(world.Put("a", "k", "v"));

  const VerifyStatus status = Verify();

  EXPECT_EQ(status.state, "clean");
  EXPECT_EQ(status.records_compared, 1u);
}

TEST_F(VerifierTest, NamesWhatDiffers) {
  FillBoth(100);
  Corrupt(Role::kUnified, "a", "1007", std::nullopt);
  Corrupt(Role::kUnified, "a", "1050", "other");
  Corrupt(Role::kUnified, "b", "new", "v");

  const VerifyStatus status = Verify();

  EXPECT_EQ(status.state, "differences");
  EXPECT_EQ(status.missing, 1u);
  EXPECT_EQ(status.extra, 1u);
  EXPECT_EQ(status.differs, 1u);
  EXPECT_THAT(Named(), ElementsAre("a/1007 missing", "a/1050 differs", "b/new extra"));
  const auto page = Must(verifier->Differences("a", "1007", 1));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].key, "1050");
  EXPECT_EQ(page[0].legacy->bytes, 8u);
  EXPECT_EQ(page[0].unified->hash, DigestOf("other").HashHex());
}

TEST_F(VerifierTest, WhatIsPastTheLimitOfNamesIsCounted) {
  options.named_count_max = 3;
  NewVerifier();
  for (int i = 0; i < 10; ++i) Corrupt(Role::kLegacy, "a", std::to_string(i), "v");

  const VerifyStatus status = Verify();

  EXPECT_EQ(status.missing, 10u);
  EXPECT_EQ(status.unnamed, 7u);
  EXPECT_EQ(Named().size(), 3u);
}

TEST_F(VerifierTest, SecondVerifyIsToldWhoRuns) {
  options = SmallSteps();
  NewVerifier();
  FillBoth(100);
  Must(verifier->Start({.bytes_per_second = 1}, "alice"));

  const Status second = verifier->Start({}, "bob");

  EXPECT_TRUE(FailsWith(second, ErrorCode::kConflict));
  EXPECT_THAT(second.error().message, HasSubstr("alice"));
  Must(verifier->Cancel());
  EXPECT_EQ(Finish().state, "cancelled");
}

TEST_F(VerifierTest, UnknownCollectionIsNotFound) {
  EXPECT_TRUE(FailsWith(verifier->Start({.collections = {"nope"}}, "test"), ErrorCode::kNotFound));
}

TEST_F(VerifierTest, StoreThatIsNotFilledIsRefused) {
  verifier.reset();
  FillBoth(1);
  Must(world.Close());
  world.unified->store()->Clear();
  world.Open();
  NewVerifier();

  EXPECT_TRUE(FailsWith(verifier->Start({}, "test"), ErrorCode::kRefused));
}

TEST_F(VerifierTest, RateMayChangeWhileItRuns) {
  options = SmallSteps();
  NewVerifier();
  FillBoth(1000);
  Must(verifier->Start({.bytes_per_second = 1}, "test"));
  EXPECT_LT(verifier->GetStatus().percent, 100.0);

  Must(verifier->SetRate(0));

  EXPECT_EQ(Finish().state, "clean");
  EXPECT_EQ(verifier->GetStatus().records_compared, 1000u);
}

TEST_F(VerifierTest, StoppedOneGoesOnFromWhereItWas) {
  options = SmallSteps();
  NewVerifier();
  FillBoth(1000);
  Corrupt(Role::kUnified, "a", "1003", "wrong");
  Must(verifier->Start({.bytes_per_second = 20000}, "test"));
  ASSERT_TRUE(Eventually([&] { return verifier->GetStatus().records_compared > 100; }));
  verifier->Stop();
  EXPECT_EQ(verifier->GetStatus().state, "interrupted");

  NewVerifier();
  EXPECT_EQ(verifier->GetStatus().state, "interrupted");
  const std::uint64_t before = verifier->GetStatus().records_compared;
  EXPECT_GT(before, 50u);
  Must(verifier->ResumeIfInterrupted());
  Must(verifier->SetRate(0));
  const VerifyStatus status = Finish();

  EXPECT_EQ(status.state, "differences");
  EXPECT_EQ(status.records_compared, 1000u);
  EXPECT_EQ(status.differs, 1u);
  EXPECT_THAT(Named(), ElementsAre("a/1003 differs"));
  EXPECT_EQ(Must(journal->Operations("verify", 5)).size(), 1u) << "one operation, interrupted";
}

TEST_F(VerifierTest, CancelledOneIsResumedUnlessItShallBeFresh) {
  options = SmallSteps();
  FillBoth(1000);
  for (const bool is_fresh : {false, true}) {
    NewVerifier();
    Must(verifier->Start({.bytes_per_second = 20000, .is_fresh = true}, "test"));
    ASSERT_TRUE(Eventually([&] { return verifier->GetStatus().records_compared > 100; }));
    Must(verifier->Cancel());
    EXPECT_EQ(Finish().state, "cancelled");

    Must(verifier->Start({.bytes_per_second = 1, .is_fresh = is_fresh}, "test"));

    if (is_fresh) {
      EXPECT_LT(verifier->GetStatus().records_compared, 50u);
    } else {
      EXPECT_GT(verifier->GetStatus().records_compared, 50u);
    }
    Must(verifier->Cancel());
    Finish();
  }
}

TEST_F(VerifierTest, FillSinceThenMeansABeginningAnew) {
  options = SmallSteps();
  NewVerifier();
  FillBoth(1000);
  Must(verifier->Start({.bytes_per_second = 20000}, "test"));
  ASSERT_TRUE(Eventually([&] { return verifier->GetStatus().records_compared > 100; }));
  Must(verifier->Cancel());
  Finish();
  Must(journal->BeginOperation("migration", "test", ""));

  Must(verifier->Start({.bytes_per_second = 1}, "test"));

  EXPECT_LT(verifier->GetStatus().records_compared, 50u);
}

TEST_F(VerifierTest, ContinuousOneGoesOnUntilCancelledAndForgetsWhatIsRepaired) {
  FillBoth(100);
  Corrupt(Role::kUnified, "a", "1003", "wrong");
  std::atomic<int> passes{0};
  verifier->SetOnEnd([&](const VerifyStatus&) { ++passes; });
  Must(verifier->Start({.is_continuous = true}, "test"));
  ASSERT_TRUE(Eventually([&] { return verifier->GetStatus().last_pass == "differences"; }));
  EXPECT_THAT(Named(), ElementsAre("a/1003 differs"));

  Must(world.Put("a", "1003", "written anew"));
  world.Drain();

  EXPECT_TRUE(Eventually([&] { return verifier->GetStatus().last_pass == "clean"; }));
  EXPECT_THAT(Named(), IsEmpty());
  EXPECT_EQ(verifier->GetStatus().state, "running");
  Must(verifier->Cancel());
  EXPECT_EQ(Finish().state, "cancelled");
  EXPECT_TRUE(Eventually([&] { return passes >= 3; })) << "the cancelled one counts";
}

TEST_F(VerifierTest, StoreThatHangsIsWaitedForOnlySoLong) {
  FillBoth(10);
  world.unified->store()->HoldApplies();
  options.comparison.pair.overlay_bytes_max = 1;
  NewVerifier();
  Must(world.Put("a", "x", "y"));
  ASSERT_TRUE(Eventually([&] { return world.Stored(Role::kLegacy)["a"].count("x") > 0; }));
  Must(verifier->Start({}, "test"));
  ASSERT_TRUE(Eventually([&] { return !verifier->GetStatus().waiting.empty(); }));

  world.clock.Advance(std::chrono::minutes(2));

  const VerifyStatus status = Finish();
  EXPECT_EQ(status.state, "failed");
  EXPECT_THAT(status.error, HasSubstr("unified"));
  world.unified->store()->ReleaseApplies();
}

// --- Repair ---

TEST_F(VerifierTest, RepairMakesTheStoresEqualFromTheRoleAskedFor) {
  for (const Role from : kRoles) {
    FillBoth(20);
    Corrupt(Role::kUnified, "a", "1003", "wrong");
    Corrupt(Role::kUnified, "a", "1004", std::nullopt);
    Corrupt(Role::kUnified, "a", "zzz", "extra");
    const Records wanted = world.Stored(from)["a"];

    const VerifyStatus status = Verify({.repair_from = from});

    EXPECT_EQ(status.state, "clean") << status.error;
    EXPECT_EQ(status.repaired, 3u);
    EXPECT_THAT(Named(), IsEmpty());
    world.Drain();
    EXPECT_EQ(world.Stored(Role::kLegacy)["a"], wanted);
    EXPECT_EQ(world.Stored(Role::kUnified)["a"], wanted);
    Must(world.Delete("a", "zzz"));
  }
}

TEST_F(VerifierTest, RepairOfAStoreThatDoesNotFollowTheLogIsRefused) {
  FillBoth(1);
  world.unified->store()->CommitForeign("a", "foreign", "v");
  world.clock.Advance(std::chrono::seconds(10));
  ASSERT_TRUE(world.Becomes(Role::kUnified, FollowerState::kFailed));

  EXPECT_TRUE(
      FailsWith(verifier->Start({.repair_from = Role::kLegacy}, "test"), ErrorCode::kRefused));
  EXPECT_TRUE(
      FailsWith(verifier->Start({.repair_from = Role::kUnified}, "test"), ErrorCode::kRefused));

  EXPECT_EQ(Verify().extra, 1u) << "but it can be compared";
}

TEST_F(VerifierTest, RepairThatTheServiceRefusesIsSaid) {
  verifier.reset();
  Must(world.Close());
  world.options.value_bytes_max = 100;
  world.Open();
  NewVerifier();
  Corrupt(Role::kLegacy, "a", "big", std::string(200, 'x'));

  const VerifyStatus status = Verify({.repair_from = Role::kLegacy});

  EXPECT_EQ(status.state, "differences");
  EXPECT_EQ(status.repaired, 0u);
  EXPECT_THAT(status.error, HasSubstr("larger"));
  EXPECT_THAT(Named(), ElementsAre("a/big missing"));
}

// The record that the repair reads may be deleted and made anew while it repairs: the log's order
// decides, and both stores and the readers end with the same.
TEST_F(VerifierTest, RepairUnderDeletesAndReCreatesBringsNothingBack) {
  constexpr int kKeys = 40;
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    Records wanted;
    for (int i = 0; i < kKeys; ++i) Must(world.Put("a", std::to_string(i), "first"));
    world.Drain();
    for (int i = 0; i < kKeys; ++i)
      Corrupt(Role::kUnified, "a", std::to_string(i),
              i % 3 == 0 ? std::nullopt : std::optional<std::string>("wrong"));
    std::atomic<bool> is_over{false};
    std::thread writer([&] {
      while (!is_over) {
        const std::string key = std::to_string(random() % kKeys);
        if (random() % 2 == 0) {
          Must(world.Delete("a", key));
          wanted[key] = "(none)";
        } else {
          wanted[key] = std::to_string(random() % 1000);
          Must(world.Put("a", key, wanted[key]));
        }
      }
    });

    const VerifyStatus status = Verify({.repair_from = Role::kLegacy});
    is_over = true;
    writer.join();

    EXPECT_EQ(status.state, "clean") << status.error;
    for (const auto& [key, value] : wanted) EXPECT_EQ(world.Get("a", key), value) << key;
    world.Drain();
    EXPECT_EQ(world.Stored(Role::kLegacy), world.Stored(Role::kUnified));
    if (HasFailure()) return;
  }
}

TEST_F(VerifierTest, LiveWritesAreNoDifferences) {
  FillBoth(500);
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    std::mt19937 random(1);
    while (!is_over) {
      const std::string key = std::to_string(1000 + random() % 500);
      if (random() % 10 == 0) {
        Must(world.Delete("a", key));
      } else {
        Must(world.Put("a", key, std::to_string(random())));
      }
    }
  });
  for (int i = 0; i < 30; ++i) {
    const VerifyStatus status = Verify();
    EXPECT_EQ(status.state, "clean") << ::testing::PrintToString(Named());
  }
  is_over = true;
  writer.join();
}

}  // namespace
}  // namespace switchback::test
