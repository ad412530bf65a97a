#include "service/segment.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/service/batch_maker.hpp"

namespace switchback {
namespace {

using test::BatchMaker;
using test::TextOf;

TEST(Segment, KeepsTheNetEffectInKeyOrder) {
  BatchMaker maker(5);
  Segment segment(5, {});
  segment.Add(maker.Put("b", "k", "1").Put("a", "z", "1").Put("a", "m", "1").Take());
  segment.Add(maker.Put("a", "m", "2").Delete("a", "z").Delete("a", "never").Take());

  EXPECT_EQ(TextOf(segment.NetEffects()), "put b/k=1; put a/m=2; delete a/never; delete a/z");
  EXPECT_EQ(segment.first_sequence(), 5u);
  EXPECT_EQ(segment.last_sequence(), 6u);
  EXPECT_EQ(segment.record_count(), 6u) << "what it costs, not what is left of it";
}

TEST(Segment, AClearComesFirstAndTakesWhatWasBefore) {
  BatchMaker maker;
  Segment segment(1, {});
  segment.Add(maker.Put("a", "old", "1").Put("b", "x", "1").Clear("a").Put("a", "new", "2").Take());

  EXPECT_EQ(TextOf(segment.NetEffects()), "clear a; put a/new=2; put b/x=1");
  EXPECT_TRUE(segment.has_clear());
}

TEST(Segment, StartsEmptyAndCountsWhatItKeeps) {
  BatchMaker maker;
  Segment segment(1, {});
  EXPECT_TRUE(segment.is_empty());
  EXPECT_EQ(segment.EffectsOf(maker.collection("a")), nullptr);

  segment.Add(maker.Put("a", "key", std::string(5000, 'v')).Take());

  EXPECT_FALSE(segment.is_empty());
  EXPECT_GT(segment.byte_count(), 5000u);
  EXPECT_NE(segment.EffectsOf(maker.collection("a")), nullptr);
  EXPECT_EQ(segment.EffectsOf(maker.collection("b")), nullptr);
}

TEST(Segment, TheFilterNeverDeniesAKeyThatIsThere) {
  BatchMaker maker;
  Segment segment(1, {});
  const Collection& a = maker.collection("a");
  for (int i = 0; i < 20000; ++i) {
    maker.Put("a", "key" + std::to_string(i), "");
    if (i % 100 == 99) segment.Add(maker.Take());
  }

  int passed = 0;
  for (int i = 0; i < 20000; ++i) {
    ASSERT_TRUE(segment.MayContain(Segment::HashOf(a, "key" + std::to_string(i)))) << i;
    passed += segment.MayContain(Segment::HashOf(a, "other" + std::to_string(i))) ? 1 : 0;
  }
  EXPECT_LT(passed, 2000) << "of 20000 keys that are not there";
}

TEST(Segment, ABatchOutOfOrderStopsTheProcess) {
  BatchMaker maker;
  Segment segment(2, {});
  const Batch first = maker.Put("a", "k", "v").Take();
  EXPECT_DEATH(segment.Add(first), "consecutive");
}

// The effects of several segments as one, against the same batches folded one by one.
TEST(Segment, SeveralSegmentsTogetherAreTheirFold) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  using Content = std::map<std::string, std::map<std::string, std::string>>;
  const auto fold = [](Content& content, const std::vector<Effect>& effects) {
    for (const Effect& effect : effects) {
      auto& records = content[effect.collection->name];
      if (effect.kind == EffectKind::kClear) records.clear();
      if (effect.kind == EffectKind::kDelete) records.erase(std::string(effect.key));
      if (effect.kind == EffectKind::kPut) records[std::string(effect.key)] = effect.value;
    }
  };
  for (int round = 0; round < 200; ++round) {
    BatchMaker maker;
    std::vector<std::shared_ptr<const Segment>> segments;
    Content start{{"a", {{"k0", "s"}, {"k3", "s"}}}, {"b", {{"k1", "s"}}}, {"c", {}}};
    Content one_by_one = start;
    std::uint64_t sequence = 1;
    for (std::size_t i = 0, count = 1 + random() % 4; i < count; ++i) {
      auto segment = std::make_shared<Segment>(sequence, SteadyTime{});
      for (std::size_t batches = 1 + random() % 3; batches > 0; --batches, ++sequence) {
        for (std::size_t effects = 1 + random() % 5; effects > 0; --effects) {
          const std::string name(1, static_cast<char>('a' + random() % 3));
          const std::string key = "k" + std::to_string(random() % 5);
          const auto kind = random() % 8;
          if (kind == 0) maker.Clear(name);
          if (kind == 1 || kind == 2) maker.Delete(name, key);
          if (kind > 2) maker.Put(name, key, std::to_string(sequence));
        }
        const Batch batch = maker.Take();
        segment->Add(batch);
        fold(one_by_one, batch.effects);
      }
      segments.push_back(segment);
    }

    const std::vector<Effect> net = Segment::NetEffects(segments);
    Content together = start;
    fold(together, net);

    ASSERT_EQ(together, one_by_one) << "round " << round << ": " << TextOf(net);
  }
}

}  // namespace
}  // namespace switchback
