// A unified store that holds some of the collections only, in a real service.
#include <gtest/gtest.h>

#include <random>

#include "migration/migrator.hpp"
#include "tests/support/service_world.hpp"

namespace switchback::test {
namespace {

using Names = std::vector<std::string>;

class PartialFillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CollectionCatalog catalog;
    std::vector<Effect> effects;
    for (const char* name : {"a", "b", "c"}) {
      for (const char* key : {"1", "2", "3"})
        effects.push_back({EffectKind::kPut, Must(catalog.Intern(name)), key, "adopted"});
    }
    world_.legacy->store()->Commit(effects, StoreState{});
    world_.Open();
    journal_ = Must(Journal::Open(dir_.File("control.sqlite"), world_.clock));
    OpenMigrator();
  }
  void TearDown() override { migrator_.reset(); }
  void OpenMigrator() {
    migrator_.reset();
    MigratorOptions options;
    options.backfill.chunk_record_count_max = 2;
    migrator_ = Must(Migrator::Open(*world_.service, *journal_, world_.clock, options));
  }
  Status Start(const Names& collections) { return migrator_->Start({.collections = collections}); }
  ::testing::AssertionResult Completes() {
    return Eventually([&] {
      migrator_->Tick();
      return migrator_->GetStatus().state == "complete";
    });
  }
  void Fill(const Names& collections) {
    Must(Start(collections));
    ASSERT_TRUE(Completes());
  }
  Names Held() { return world_.service->GetStatus().followers[Index(Role::kUnified)].collections; }
  static void FailApplies(FaultyStore& disk, ErrorCode code) {
    disk.SetHook([code](FaultyStore::Call call) -> Status {
      return call == FaultyStore::Call::kApply ? Fail(code, "broken") : Status{};
    });
  }
  // What legacy holds of these collections.
  Content Legacy(const Names& collections) {
    Content content = world_.Stored(Role::kLegacy);
    std::erase_if(content, [&](const auto& entry) {
      return std::find(collections.begin(), collections.end(), entry.first) == collections.end();
    });
    return content;
  }
  void ExpectEverythingIsServed() {
    EXPECT_EQ(world_.Get("a", "1"), "adopted");
    EXPECT_EQ(world_.Get("b", "1"), "adopted");
    EXPECT_EQ(world_.Scan("b").size(), 3u);
    EXPECT_EQ(Must(world_.session().Count(world_.collection("c"))), 3u);
    const std::vector<std::string_view> keys{"1", "none"};
    const auto values = Must(world_.session().MultiGet(world_.collection("b"), keys));
    world_.session().EndTurn();
    EXPECT_EQ(values[0], "adopted");
    EXPECT_EQ(values[1], std::nullopt);
    EXPECT_EQ(Must(world_.service->CollectionNames()), (Names{"a", "b", "c"}));
  }

  ServiceWorld world_;
  TempDir dir_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Migrator> migrator_;
};

TEST_F(PartialFillTest, HoldsTheNamedCollectionsAndLegacyAnswersForTheOthers) {
  Fill({"b", "a", "b"});
  EXPECT_EQ(world_.Stored(Role::kUnified), Legacy({"a", "b"}));
  EXPECT_EQ(Held(), (Names{"a", "b"}));
  EXPECT_EQ(migrator_->GetStatus().collections, (Names{"a", "b"}));

  Must(world_.Flip(100));
  ExpectEverythingIsServed();

  const auto count = [&](Role role) {
    return world_.Metrics(role, Operation::kGet).latency.Count();
  };
  const std::uint64_t unified_before = count(Role::kUnified);
  const std::uint64_t legacy_before = count(Role::kLegacy);
  world_.Get("a", "2");
  world_.Get("c", "2");
  EXPECT_EQ(count(Role::kUnified), unified_before + 1);
  EXPECT_EQ(count(Role::kLegacy), legacy_before + 1);
}

TEST_F(PartialFillTest, WritesToOtherCollectionsPassItBy) {
  Fill({"a"});
  Must(world_.Flip(100));

  Must(world_.Put("a", "k", "v"));
  Must(world_.Put("b", "k", "v"));
  Must(world_.Put("new", "k", "v"));
  Must(world_.Delete("c", "1"));

  for (const char* name : {"a", "b", "new"}) EXPECT_EQ(world_.Get(name, "k"), "v");
  world_.Drain();
  for (const char* name : {"a", "b", "new"}) EXPECT_EQ(world_.Get(name, "k"), "v");
  EXPECT_EQ(world_.Get("c", "1"), "(none)");
  EXPECT_EQ(world_.Stored(Role::kUnified), Legacy({"a"}));
  EXPECT_EQ(world_.Stored(Role::kLegacy).size(), 4u);
}

TEST_F(PartialFillTest, IsWhatItWasAfterARestartAndAfterCrashes) {
  Fill({"a"});
  const auto check = [&] {
    EXPECT_EQ(Held(), Names{"a"});
    Must(world_.Flip(100));
    ExpectEverythingIsServed();
    Must(world_.Put("b", "1", "adopted"));
    Must(world_.Put("a", "1", "adopted"));
  };
  migrator_.reset();
  world_.Reopen();
  check();
  for (const Crash crash : {Crash::kKill, Crash::kPowerCut}) {
    world_.CrashAndReopen(crash);
    ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kInSync));
    check();
  }
  world_.Drain();
  EXPECT_EQ(world_.Stored(Role::kUnified), Legacy({"a"}));
}

TEST_F(PartialFillTest, AnotherSetIsFilledAnewOnceNoKeyIsSentThere) {
  Fill({"a"});
  EXPECT_EQ(Start({"a"}).error().code, ErrorCode::kRefused) << "nothing to do";
  Must(world_.Flip(100));
  const Status refused = Start({"a", "b"});
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_NE(refused.error().message.find("switch it off"), std::string::npos);

  Must(world_.Flip(0));
  Fill({"a", "b"});
  EXPECT_EQ(world_.Stored(Role::kUnified), Legacy({"a", "b"}));

  Fill({});
  EXPECT_EQ(Held(), Names{});
  EXPECT_EQ(world_.Stored(Role::kUnified), world_.Stored(Role::kLegacy));
  Must(world_.Flip(100));
  ExpectEverythingIsServed();
}

TEST_F(PartialFillTest, StoreFilledWithAnotherSetIsNotTakenForTheCopyAfterACrash) {
  Fill({"a"});
  FailApplies(*world_.unified, ErrorCode::kNoSpace);
  EXPECT_FALSE(Start({"b"}).has_value()) << "it cannot be emptied";
  world_.unified->SetHook(nullptr);
  ASSERT_TRUE(world_.Becomes(Role::kUnified, FollowerState::kDetached));

  Fill({"b"});

  EXPECT_EQ(Held(), Names{"b"});
  EXPECT_EQ(world_.Stored(Role::kUnified), Legacy({"b"}));
}

TEST_F(PartialFillTest, WhatNeedsAWholeStoreIsRefused) {
  Fill({"a"});
  Must(world_.Flip(100));

  EXPECT_NE(migrator_->GetStatus().can_complete_reason.find("some of the collections"),
            std::string::npos);
  EXPECT_EQ(world_.service->RetireLegacy(std::chrono::seconds(1)).error().code,
            ErrorCode::kRefused);
  EXPECT_EQ(world_.service->ForgetStore(Role::kLegacy, "why", std::chrono::seconds(1)).error().code,
            ErrorCode::kRefused);
  EXPECT_EQ(Start({"none"}).error().code, ErrorCode::kRefused) << "the flag is on";
  Must(world_.Flip(0));
  const Status unknown = Start({"none"});
  EXPECT_EQ(unknown.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(unknown.error().message.find("a, b, c"), std::string::npos) << unknown.error().message;
}

TEST_F(PartialFillTest, LegacyStaysInServiceSinceItAloneHasTheOthers) {
  Fill({"a"});
  FailApplies(*world_.legacy, ErrorCode::kIo);
  Must(world_.Put("b", "k", "v"));
  Must(world_.Put("a", "k", "v"));
  ASSERT_TRUE(Eventually([&] {
    return world_.service->GetStatus().followers[Index(Role::kLegacy)].apply_failures > 0;
  }));

  EXPECT_EQ(world_.Get("b", "k"), "v");
  EXPECT_EQ(world_.Get("b", "1"), "adopted");
  world_.legacy->SetHook(nullptr);
  ASSERT_TRUE(world_.Becomes(Role::kLegacy, FollowerState::kInSync));
}

// Writes of all kinds to all collections while it is filled, and after.
TEST_F(PartialFillTest, RandomWritesMeanwhileLeaveWhatLegacyHasOfTheSet) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto write = [&] {
    const std::string name(1, static_cast<char>('a' + random() % 4));
    const std::string key = std::to_string(random() % 40);
    if (random() % 50 == 0) {
      Must(world_.service->Write(
          [&](Transaction& transaction) { return transaction.Clear(world_.collection(name)); }));
    } else if (random() % 4 == 0) {
      Must(world_.Delete(name, key));
    } else {
      Must(world_.Put(name, key, std::to_string(random())));
    }
  };
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 100; ++i) write();
    const Names set = round % 2 == 0 ? Names{"b", "d"} : Names{"a", "b", "c"};
    for (const std::string& name : set) Must(world_.Put(name, "here", "v"));  // or it is unknown
    Must(Start(set));
    ASSERT_TRUE(Eventually([&] {
      write();
      migrator_->Tick();
      return migrator_->GetStatus().state == "complete";
    }));
    for (int i = 0; i < 100; ++i) write();
    world_.Drain();
    EXPECT_EQ(world_.Stored(Role::kUnified), Legacy(set)) << "round " << round;
  }
}

}  // namespace
}  // namespace switchback::test
