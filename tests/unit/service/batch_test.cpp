#include "service/batch.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <tuple>

#include "common/bytes.hpp"
#include "tests/support/expect_ok.hpp"

namespace switchback {
namespace {

using test::FailsWith;
using test::IsOk;
using test::Must;
using Found = BatchBuilder::Found;
using Plain = std::tuple<EffectKind, std::string, std::string, std::string>;

std::vector<Plain> PlainOf(const std::vector<Effect>& effects) {
  std::vector<Plain> plain;
  for (const Effect& effect : effects)
    plain.emplace_back(effect.kind, effect.collection->name, effect.key, effect.value);
  return plain;
}

class BatchTest : public ::testing::Test {
 protected:
  std::string Payload() { return builder_.Preamble() + builder_.effect_bytes(); }
  std::string Lookup(const Collection& collection, std::string_view key) {
    std::string_view value;
    switch (builder_.Find(collection, key, value)) {
      case Found::kPut: return "put " + std::string(value);
      case Found::kAbsent: return "absent";
      case Found::kNothing: return "nothing";
    }
    return "?";
  }

  CollectionCatalog catalog_;
  const Collection& a_ = *Must(catalog_.Intern("a"));
  const Collection& b_ = *Must(catalog_.Intern("b"));
  BatchBuilder builder_;
};

TEST_F(BatchTest, DecodesToTheSameEffectsInTheSameOrder) {
  builder_.Add(EffectKind::kPut, a_, "k1", "v1");
  builder_.Add(EffectKind::kClear, b_, {}, {});
  builder_.Add(EffectKind::kPut, b_, std::string("\0\xff", 2), std::string(100000, 'x'));
  builder_.Add(EffectKind::kDelete, a_, "k1", {});
  builder_.Add(EffectKind::kPut, a_, std::string(kKeyBytesMax, 'k'), "");
  const std::string payload = Payload();
  CollectionCatalog other;  // another process: names, not indices, are what counts
  (void)other.Intern("z");

  const auto decoded = DecodeBatch(payload, other);
  const Batch taken = builder_.Take(7);

  ASSERT_TRUE(IsOk(decoded));
  EXPECT_EQ(PlainOf(*decoded), PlainOf(taken.effects));
  EXPECT_EQ(taken.effects.size(), 5u);
  EXPECT_EQ(taken.sequence, 7u);
  EXPECT_EQ(other.Find("a"), decoded->front().collection);
}

TEST_F(BatchTest, AMovedBatchKeepsItsViews) {
  builder_.Add(EffectKind::kPut, a_, "k", "v");  // short enough for an inline string buffer
  Batch batch = builder_.Take(1);

  const Batch moved = std::move(batch);

  EXPECT_EQ(moved.effects[0].key, "k");
  EXPECT_EQ(moved.effects[0].value, "v");
}

TEST_F(BatchTest, TakeStartsAnew) {
  builder_.Add(EffectKind::kPut, a_, "k", "v");
  builder_.Add(EffectKind::kClear, b_, {}, {});
  EXPECT_EQ(Lookup(a_, "k"), "put v");
  (void)builder_.Take(1);

  EXPECT_EQ(builder_.effect_count(), 0u);
  EXPECT_EQ(builder_.byte_count(), 0u);
  EXPECT_EQ(Lookup(a_, "k"), "nothing");
  EXPECT_FALSE(builder_.IsCleared(b_));
  builder_.Add(EffectKind::kPut, b_, "n", "1");
  EXPECT_EQ(PlainOf(Must(DecodeBatch(Payload(), catalog_))),
            (std::vector<Plain>{{EffectKind::kPut, "b", "n", "1"}}));
}

TEST_F(BatchTest, FindSeesTheLatestEffectOfAKey) {
  EXPECT_EQ(Lookup(a_, "k"), "nothing");
  builder_.Add(EffectKind::kPut, a_, "k", "1");
  EXPECT_EQ(Lookup(a_, "k"), "put 1");
  EXPECT_EQ(Lookup(b_, "k"), "nothing");
  builder_.Add(EffectKind::kDelete, a_, "k", {});
  EXPECT_EQ(Lookup(a_, "k"), "absent");
  builder_.Add(EffectKind::kPut, a_, "k", "");
  EXPECT_EQ(Lookup(a_, "k"), "put ");
  EXPECT_TRUE(builder_.Touches(a_, "k"));
  EXPECT_FALSE(builder_.Touches(a_, "other"));
}

TEST_F(BatchTest, AClearHidesWhatCameBeforeItAndEverythingStored) {
  builder_.Add(EffectKind::kPut, a_, "old", "1");
  builder_.Add(EffectKind::kPut, b_, "other", "1");
  builder_.Add(EffectKind::kClear, a_, {}, {});
  builder_.Add(EffectKind::kPut, a_, "new", "2");

  EXPECT_EQ(Lookup(a_, "old"), "absent");
  EXPECT_EQ(Lookup(a_, "never written"), "absent");
  EXPECT_EQ(Lookup(a_, "new"), "put 2");
  EXPECT_EQ(Lookup(b_, "other"), "put 1");
  EXPECT_TRUE(builder_.IsCleared(a_));
  EXPECT_FALSE(builder_.IsCleared(b_));
}

TEST_F(BatchTest, TruncateBringsBackWhatTheDroppedEffectsHid) {
  builder_.Add(EffectKind::kPut, a_, "k", "1");
  const std::size_t savepoint = builder_.effect_count();
  builder_.Add(EffectKind::kPut, a_, "k", "2");
  builder_.Add(EffectKind::kDelete, a_, "k", {});
  builder_.Add(EffectKind::kClear, a_, {}, {});
  EXPECT_EQ(Lookup(a_, "k"), "absent");  // all of it is indexed now

  builder_.Truncate(savepoint);

  EXPECT_EQ(Lookup(a_, "k"), "put 1");
  EXPECT_FALSE(builder_.IsCleared(a_));
  EXPECT_EQ(PlainOf(Must(DecodeBatch(Payload(), catalog_))),
            (std::vector<Plain>{{EffectKind::kPut, "a", "k", "1"}}));
  builder_.Truncate(0);
  EXPECT_EQ(Lookup(a_, "k"), "nothing");
  EXPECT_EQ(builder_.byte_count(), 0u);
}

// Random additions, savepoints and look-ups against a fold over a plain list.
TEST_F(BatchTest, FindAgreesWithAFoldAfterAnyAddsAndTruncates) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<Plain> model;
  const auto expected = [&](const Collection& collection, const std::string& key) {
    std::string state = "nothing";
    for (const auto& [kind, name, at, value] : model) {
      if (name != collection.name) continue;
      if (kind == EffectKind::kClear) state = "absent";
      if (kind == EffectKind::kDelete && at == key) state = "absent";
      if (kind == EffectKind::kPut && at == key) state = "put " + value;
    }
    return state;
  };
  for (int step = 0; step < 3000; ++step) {
    const Collection& collection = random() % 2 == 0 ? a_ : b_;
    const std::string key = "k" + std::to_string(random() % 5);
    const auto action = random() % 20;
    if (action < 9) {
      const std::string value = std::to_string(step);
      builder_.Add(EffectKind::kPut, collection, key, value);
      model.emplace_back(EffectKind::kPut, collection.name, key, value);
    } else if (action < 12) {
      builder_.Add(EffectKind::kDelete, collection, key, {});
      model.emplace_back(EffectKind::kDelete, collection.name, key, "");
    } else if (action < 13) {
      builder_.Add(EffectKind::kClear, collection, {}, {});
      model.emplace_back(EffectKind::kClear, collection.name, "", "");
    } else if (action < 15) {
      const std::size_t keep = model.empty() ? 0 : random() % (model.size() + 1);
      const std::size_t kept =
          std::max(keep, model.size() - std::min<std::size_t>(model.size(), 6));
      builder_.Truncate(kept);
      model.resize(kept);
    } else {
      ASSERT_EQ(Lookup(collection, key), expected(collection, key)) << "step " << step;
    }
  }
  EXPECT_EQ(PlainOf(Must(DecodeBatch(Payload(), catalog_))), model);
}

TEST_F(BatchTest, APayloadThatEndsTooSoonIsCorruption) {
  builder_.Add(EffectKind::kPut, a_, "key", "value");
  builder_.Add(EffectKind::kDelete, b_, "key", {});
  const std::string payload = Payload();

  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_TRUE(FailsWith(DecodeBatch(payload.substr(0, size), catalog_), ErrorCode::kCorruption))
        << size << " of " << payload.size() << " bytes";
  }
  EXPECT_TRUE(FailsWith(DecodeBatch(payload + "x", catalog_), ErrorCode::kCorruption));
}

struct OneEffect {
  std::uint8_t kind = 1;
  std::uint16_t collection = 0;
  std::string key = "k";
  std::string value = "v";
  std::string name = "a";
};

std::string PayloadOf(const OneEffect& effect, std::uint32_t count = 1) {
  std::string payload;
  AppendInteger(payload, std::uint16_t{1});
  AppendInteger(payload, static_cast<std::uint8_t>(effect.name.size()));
  payload += effect.name;
  AppendInteger(payload, count);
  AppendInteger(payload, effect.kind);
  AppendInteger(payload, effect.collection);
  AppendInteger(payload, static_cast<std::uint16_t>(effect.key.size()));
  AppendInteger(payload, static_cast<std::uint32_t>(effect.value.size()));
  return payload + effect.key + effect.value;
}

TEST_F(BatchTest, EffectsThatNoStoreCanHoldAreCorruption) {
  ASSERT_TRUE(IsOk(DecodeBatch(PayloadOf({}), catalog_)));
  const std::vector<std::pair<const char*, std::string>> hostile{
      {"kind 0", PayloadOf({.kind = 0})},
      {"kind 4", PayloadOf({.kind = 4})},
      {"unknown collection", PayloadOf({.collection = 1})},
      {"name that is not allowed", PayloadOf({.name = "a b"})},
      {"our own name", PayloadOf({.name = std::string(kReservedName)})},
      {"empty key", PayloadOf({.key = ""})},
      {"long key", PayloadOf({.key = std::string(kKeyBytesMax + 1, 'k')})},
      {"delete with a value", PayloadOf({.kind = 2})},
      {"clear with a key", PayloadOf({.kind = 3, .value = ""})},
      {"clear with a value", PayloadOf({.kind = 3, .key = ""})},
      {"count without effects", PayloadOf({}, 0xffffffff)},
      {"no effect but bytes", PayloadOf({}, 0)},
  };
  for (const auto& [what, payload] : hostile) {
    EXPECT_TRUE(FailsWith(DecodeBatch(payload, catalog_), ErrorCode::kCorruption)) << what;
  }
}

}  // namespace
}  // namespace switchback
