#include "service/shadow_reader.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/service_world.hpp"

namespace switchback::test {
namespace {

class ShadowReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { world.Open(); }

  void SetPercentage(double percentage) {
    auto snapshot = std::make_shared<FlagSnapshot>();
    snapshot->revision = snapshot->load_count = ++loads;
    FlagSettings settings;
    settings.enabled = true;
    settings.share = static_cast<std::uint32_t>(percentage * 1000);
    settings.salt = "test";
    snapshot->flags.emplace(kShadowFlagName, FlagRule(settings));
    world.service->flags().Publish(snapshot);
    Must(world.service->JudgeFlags());
  }
  void Corrupt(Role role, const std::string& key, const std::string& value) {
    const Effect effect{EffectKind::kPut, &world.collection("a"), key, value};
    MemoryStore& store = *world.disk(role).store();
    store.Commit(std::span(&effect, 1), store.State());
  }
  ShadowStatus Shadow() { return world.service->GetStatus().shadow_reads; }

  ServiceWorld world;
  std::uint64_t loads = 0;
};

TEST_F(ShadowReaderTest, OffNothingIsCompared) {
  Must(world.Put("a", "k", "v"));

  EXPECT_EQ(world.Get("a", "k"), "v");

  EXPECT_EQ(Shadow().checked + Shadow().dropped, 0u);
  EXPECT_EQ(world.service->GetStatus().stage, "dualwrite");
}

TEST_F(ShadowReaderTest, EqualStoresHaveNoMismatch) {
  SetPercentage(100);
  Must(world.Put("a", "k", "v"));

  EXPECT_TRUE(Eventually([&] { return world.Get("a", "k") == "v" && Shadow().checked > 10; }));

  EXPECT_EQ(Shadow().mismatches, 0u);
  EXPECT_EQ(Shadow().percentage, 100.0);
  EXPECT_EQ(world.service->GetStatus().stage, "shadow");
}

// What a reader of keys meets is a matter of two threads' timing: a key is dropped while the queue
// is being emptied. So these tests turn the crank themselves.
class HandTurned {
 public:
  explicit HandTurned(ServiceWorld& world, bool may_compare = true)
      : shadow_(world.service->fill_access(), [may_compare] { return may_compare; }) {
    shadow_.Stop();  // no thread, now or later
    shadow_.SetShare(kShareTotal);
  }
  ShadowReader* operator->() { return &shadow_; }

 private:
  ShadowReader shadow_;
};

TEST_F(ShadowReaderTest, MismatchIsCountedAndSampledWithWhatBothHold) {
  Must(world.Put("a", "k", "v"));
  Must(world.Put("a", "other", "v"));
  world.Drain();
  Corrupt(Role::kUnified, "k", "wrong");
  HandTurned shadow(world);

  shadow->Offer(world.collection("a"), "k");
  shadow->Offer(world.collection("a"), "other");
  shadow->CompareQueued();

  const ShadowStatus status = shadow->GetStatus();
  EXPECT_EQ(status.checked, 2u);
  EXPECT_EQ(status.mismatches, 1u);
  ASSERT_EQ(status.samples.size(), 1u);
  EXPECT_EQ(status.samples[0].collection, "a");
  EXPECT_EQ(status.samples[0].key, "k");
  EXPECT_EQ(status.samples[0].values.legacy, DigestOf("v"));
  EXPECT_EQ(status.samples[0].values.unified, DigestOf("wrong"));
}

TEST_F(ShadowReaderTest, MismatchIsFoundBesideAnswersThatAreTheRoutedStores) {
  Must(world.Put("a", "k", "v"));
  world.Drain();
  Corrupt(Role::kUnified, "k", "wrong");
  SetPercentage(100);

  EXPECT_TRUE(Eventually([&] { return world.Get("a", "k") == "v" && Shadow().mismatches > 0; }));

  ASSERT_FALSE(Shadow().samples.empty());
  EXPECT_EQ(Shadow().samples[0].key, "k");
}

TEST_F(ShadowReaderTest, KeysOfAnMgetAreCompared) {
  Must(world.Put("a", "k", "v"));
  world.Drain();
  Corrupt(Role::kLegacy, "l", "only here");
  SetPercentage(100);
  const std::vector<std::string_view> keys{"k", "l"};

  EXPECT_TRUE(Eventually([&] {
    Must(world.session().MultiGet(world.collection("a"), keys));
    world.session().EndTurn();
    return Shadow().mismatches > 0;
  }));

  EXPECT_EQ(Shadow().samples[0].key, "l");
}

TEST_F(ShadowReaderTest, SamplesAreBoundedAndTheNewestComeFirst) {
  HandTurned shadow(world);
  for (int i = 0; i < 150; ++i) {
    const std::string key = std::to_string(i);
    Corrupt(Role::kLegacy, key, "v");
    shadow->Offer(world.collection("a"), key);
    shadow->CompareQueued();
  }

  const ShadowStatus status = shadow->GetStatus();
  EXPECT_EQ(status.mismatches, 150u);
  EXPECT_EQ(status.samples.size(), ShadowReader::kSampleCountMax);
  EXPECT_EQ(status.samples[0].key, "149");
}

TEST_F(ShadowReaderTest, WhatDoesNotFitIsDroppedAndCounted) {
  HandTurned shadow(world);
  for (std::size_t i = 0; i < ShadowReader::kQueueCountMax + 5; ++i)
    shadow->Offer(world.collection("a"), "k");

  EXPECT_EQ(shadow->GetStatus().dropped, 5u);
  for (std::size_t i = 0; i < ShadowReader::kQueueCountMax; ++i) shadow->CompareQueued();
  EXPECT_EQ(shadow->GetStatus().checked, ShadowReader::kQueueCountMax);
}

TEST_F(ShadowReaderTest, StoreThatIsNotInSyncIsNotCompared) {
  HandTurned shadow(world, false);
  Corrupt(Role::kLegacy, "k", "v");
  shadow->Offer(world.collection("a"), "k");
  shadow->CompareQueued();

  EXPECT_EQ(shadow->GetStatus().dropped, 1u);
  EXPECT_EQ(shadow->GetStatus().mismatches, 0u);
}

TEST_F(ShadowReaderTest, WritesAtTheSameTimeAreNoMismatch) {
  HandTurned shadow(world);
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    std::mt19937 random(1);
    while (!is_over) {
      const std::string key = std::to_string(random() % 50);
      if (random() % 4 == 0) {
        Must(world.Delete("a", key));
      } else {
        Must(world.Put("a", key, std::to_string(random())));
      }
    }
  });
  std::mt19937 random(2);
  for (int turn = 0; turn < 1000; ++turn) {
    for (int i = 0; i < 20; ++i)
      shadow->Offer(world.collection("a"), std::to_string(random() % 50));
    shadow->CompareQueued();
  }
  is_over = true;
  writer.join();

  const ShadowStatus status = shadow->GetStatus();
  EXPECT_GT(status.checked, 0u);
  EXPECT_EQ(status.mismatches, 0u);
  EXPECT_EQ(status.errors, 0u);
}

}  // namespace
}  // namespace switchback::test
