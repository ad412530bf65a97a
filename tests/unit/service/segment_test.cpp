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

TEST(Segment, ManyBatchesAtOnceAreTheSameAsOneByOne) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  // Keys that differ early, late, behind eight equal bytes, and only in their length.
  const std::vector<std::string> keys{
      "a",        "b",         std::string(1, '\0'), "a\xff",
      "prefix-1", "prefix-12", "prefix-123456789",   "prefix-12345678"};
  for (int round = 0; round < 300; ++round) {
    BatchMaker maker;
    std::vector<Batch> batches;
    const bool has_clears = round % 4 == 0;
    const std::size_t first_key = random() % keys.size();  // some rounds have a common prefix
    for (std::size_t batch = 1 + random() % 6; batch > 0; --batch) {
      for (std::size_t effect = 1 + random() % 5; effect > 0; --effect) {
        const std::string name(1, static_cast<char>('a' + random() % 3));
        const std::string& key = keys[first_key + random() % (keys.size() - first_key)];
        const auto kind = random() % 10;
        if (kind == 0 && has_clears) maker.Clear(name);
        if (kind < 4) maker.Delete(name, key);
        if (kind >= 4) maker.Put(name, key, std::to_string(random()));
      }
      batches.push_back(maker.Take());
    }
    Segment one_by_one(1, {});
    for (const Batch& batch : batches) one_by_one.Add(batch);
    Segment at_once(1, {});
    at_once.AddAll(batches);

    EXPECT_EQ(TextOf(at_once.NetEffects()), TextOf(one_by_one.NetEffects()));
    EXPECT_EQ(at_once.last_sequence(), one_by_one.last_sequence());
    EXPECT_EQ(at_once.record_count(), one_by_one.record_count());
    EXPECT_EQ(at_once.byte_count(), one_by_one.byte_count());
    for (const std::string& key : keys) {
      for (const char* name : {"a", "b", "c"}) {
        const std::uint64_t hash = Segment::HashOf(maker.collection(name), key);
        EXPECT_EQ(at_once.MayContain(hash), one_by_one.MayContain(hash));
      }
    }
  }
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
