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

TEST_F(ShadowReaderTest, MismatchIsCountedAndSampledWithWhatBothHold) {
  Must(world.Put("a", "k", "v"));
  Must(world.Put("a", "other", "v"));
  world.Drain();
  Corrupt(Role::kUnified, "k", "wrong");
  SetPercentage(100);

  EXPECT_EQ(world.Get("a", "k"), "v") << "the answer is the routed store's";
  EXPECT_EQ(world.Get("a", "other"), "v");
  ASSERT_TRUE(Eventually([&] { return Shadow().checked == 2; }));

  const ShadowStatus status = Shadow();
  EXPECT_EQ(status.mismatches, 1u);
  ASSERT_EQ(status.samples.size(), 1u);
  EXPECT_EQ(status.samples[0].collection, "a");
  EXPECT_EQ(status.samples[0].key, "k");
  EXPECT_EQ(status.samples[0].values.legacy, DigestOf("v"));
  EXPECT_EQ(status.samples[0].values.unified, DigestOf("wrong"));
}

TEST_F(ShadowReaderTest, KeysOfAnMgetAreCompared) {
  Must(world.Put("a", "k", "v"));
  world.Drain();
  Corrupt(Role::kLegacy, "l", "only here");
  SetPercentage(100);
  const std::vector<std::string_view> keys{"k", "l"};

  Must(world.session().MultiGet(world.collection("a"), keys));
  world.session().EndTurn();

  EXPECT_TRUE(Eventually([&] { return Shadow().checked == 2; }));
  EXPECT_EQ(Shadow().mismatches, 1u);
}

TEST_F(ShadowReaderTest, SamplesAreBoundedAndTheNewestComeFirst) {
  SetPercentage(100);
  for (int i = 0; i < 150; ++i) {
    const std::string key = std::to_string(i);
    Corrupt(Role::kLegacy, key, "v");
    EXPECT_EQ(world.Get("a", key), "v");
    ASSERT_TRUE(
        Eventually([&] { return Shadow().mismatches == static_cast<std::uint64_t>(i) + 1; }));
  }

  const ShadowStatus status = Shadow();
  EXPECT_EQ(status.samples.size(), ShadowReader::kSampleCountMax);
  EXPECT_EQ(status.samples[0].key, "149");
}

TEST_F(ShadowReaderTest, WhatDoesNotFitIsDroppedAndCounted) {
  ShadowReader shadow(world.service->fill_access(), [] { return true; });
  const Collection& a = world.collection("a");
  shadow.SetShare(kShareTotal);
  shadow.Stop();
  // Without its thread nothing is taken from the queue. Stop has turned it off as well.
  shadow.SetShare(kShareTotal);
  for (std::size_t i = 0; i < ShadowReader::kQueueCountMax + 5; ++i) shadow.Offer(a, "k");

  EXPECT_EQ(shadow.GetStatus().dropped, 5u);
  shadow.CompareQueued();
  EXPECT_EQ(shadow.GetStatus().checked, ShadowReader::kQueueCountMax);
}

TEST_F(ShadowReaderTest, StoreThatIsNotInSyncIsNotCompared) {
  ShadowReader shadow(world.service->fill_access(), [] { return false; });
  shadow.SetShare(kShareTotal);
  Corrupt(Role::kLegacy, "k", "v");
  shadow.Offer(world.collection("a"), "k");

  EXPECT_TRUE(Eventually([&] { return shadow.GetStatus().dropped == 1; }));
  EXPECT_EQ(shadow.GetStatus().mismatches, 0u);
}

TEST_F(ShadowReaderTest, WritesAtTheSameTimeAreNoMismatch) {
  SetPercentage(100);
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
  EXPECT_TRUE(Eventually([&] {
    world.Get("a", std::to_string(random() % 50));
    return Shadow().checked > 20000;
  }));
  is_over = true;
  writer.join();

  EXPECT_EQ(Shadow().mismatches, 0u);
  EXPECT_EQ(Shadow().errors, 0u);
}

}  // namespace
}  // namespace switchback::test
