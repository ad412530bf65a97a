// Random schedules of writes, deletes, clears, new collections, lagging sources, crashes and power
// cuts between the steps of a fill: it always ends exactly equal (I7).
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "fill_world.hpp"
#include "migration/backfill.hpp"

namespace switchback::test {
namespace {

class RandomFill {
 public:
  explicit RandomFill(std::uint64_t seed) : random_(seed) {
    options_.chunk_record_count_max = 1 + Below(6);
    options_.chunk_bytes_max = 20 + Below(200);
    options_.log_effect_count_max = 1 + Below(20);
    options_.log_bytes_max = 50 + Below(500);
    options_.log_scan_effect_count_max = 5 + Below(40);
  }

  void Run() {
    for (std::size_t i = Below(40); i > 0; --i) WriteRandomly();
    world_.ApplyToSource(world_.log.size());
    Start();
    // Writes get rarer, so that the fill can come to an end.
    for (int steps = 0; world_.target_store->State().is_filling; ++steps) {
      ASSERT_LT(steps, 20000) << "the fill does not end";
      Disturb(steps);
      TryStep();
      if (::testing::Test::HasFailure()) return;
      CheckInvariant();
    }
    world_.ApplyToSource(world_.log.size());
    world_.CatchUpTarget();
    EXPECT_EQ(FillWorld::ContentOf(*world_.target_store), FoldLog(world_.log.size()));
    EXPECT_EQ(FillWorld::ContentOf(*world_.target_store),
              FillWorld::ContentOf(*world_.source_store));
  }

 private:
  std::size_t Below(std::size_t bound) { return random_() % bound; }
  bool OneIn(std::size_t n) { return Below(n) == 0; }
  std::string RandomName() { return std::string(1, static_cast<char>('a' + Below(6))); }
  std::string RandomKey() {
    std::string key;
    for (std::size_t size = 1 + Below(2); key.size() < size;)
      key += static_cast<char>(Below(4) * 85);  // 0, 85, 170, 255: order must be unsigned
    return key;
  }

  void WriteRandomly() {
    std::vector<OwnedEffect> effects;
    for (std::size_t size = 1 + Below(4); effects.size() < size;) {
      if (OneIn(20)) {
        effects.push_back(ClearOf(RandomName()));
      } else if (OneIn(3)) {
        effects.push_back(DeleteOf(RandomName(), RandomKey()));
      } else {
        effects.push_back(PutOf(RandomName(), RandomKey(),
                                std::string(Below(30), 'v') + std::to_string(++value_)));
      }
    }
    world_.Log(std::move(effects));
  }

  void Disturb(int step) {
    if (OneIn(1 + static_cast<std::size_t>(step) / 20)) {
      for (std::size_t i = Below(5); i > 0; --i) WriteRandomly();
    }
    const std::uint64_t applied = world_.source_store->State().applied_sequence;
    world_.ApplyToSource(applied + Below(world_.log.size() - applied + 1));
    if (OneIn(5)) FillWorld::Must(world_.source->MakeDurable());
    if (OneIn(5)) FillWorld::Must(world_.target->MakeDurable());
    if (OneIn(10)) Restart(OneIn(3));
  }

  void Restart(bool is_power_cut) {
    fill_.reset();
    world_.source.reset();
    world_.target.reset();
    if (is_power_cut) {
      if (world_.target_store->State().log_id.empty()) return;
      world_.source_store->PowerCut();
      world_.target_store->PowerCut();
    }
    world_.OpenStores();
    if (world_.target_store->State().log_id.empty()) {  // nothing was ever durable in it
      StoreState state;
      state.log_id = "log-1";
      state.is_filling = true;
      FillWorld::Must(world_.target->Apply({}, state));
    }
    if (world_.source_store->State().log_id.empty()) {
      StoreState state;
      state.log_id = "log-1";
      FillWorld::Must(world_.source->Apply({}, state));
    }
    Start();
  }

  void Start() { fill_ = std::make_unique<Backfill>(world_, options_, progress_); }

  void TryStep() {
    auto step = fill_->Next(world_.target_store->State());
    if (!step) {  // the source lost its tail to a power cut and gets it back from the log
      ASSERT_EQ(step.error().code, ErrorCode::kBusy) << step.error().message;
      world_.ApplyToSource(world_.log.size());
      return;
    }
    if (OneIn(4)) {  // writes land between the snapshot and the commit
      WriteRandomly();
      world_.ApplyToSource(world_.log.size());
    }
    if (OneIn(8)) return;  // the commit failed: the same state again
    FillWorld::Must(world_.target->Apply(step->effects, step->state));
    fill_->Committed();
  }

  Records FoldLog(std::uint64_t last) const {
    Records content;
    for (std::uint64_t i = 0; i < last; ++i) {
      for (const OwnedEffect& effect : world_.log[i]) {
        auto& records = content[effect.collection];
        if (effect.kind == EffectKind::kPut) records[effect.key] = effect.value;
        if (effect.kind == EffectKind::kDelete) records.erase(effect.key);
        if (effect.kind == EffectKind::kClear) records.clear();
      }
    }
    std::erase_if(content, [](const auto& entry) { return entry.second.empty(); });
    return content;
  }

  // Invariant (1) of backfill.hpp, after every step and every crash.
  void CheckInvariant() {
    const StoreState state = world_.target_store->State();
    const FillCursor cursor(state);
    Records expected;
    for (const auto& [name, records] : FoldLog(state.applied_sequence)) {
      for (const auto& [key, value] : records) {
        if (!state.is_filling || cursor.Covers(name, key)) expected[name][key] = value;
      }
    }
    ASSERT_EQ(FillWorld::ContentOf(*world_.target_store), expected)
        << "at " << state.applied_sequence << ", " << state.fill_collection;
  }

  std::mt19937_64 random_;
  FillWorld world_;
  SettableClock clock_;
  BackfillOptions options_;
  std::shared_ptr<BackfillProgress> progress_ = std::make_shared<BackfillProgress>(clock_);
  std::unique_ptr<Backfill> fill_;
  std::uint64_t value_ = 0;
};

TEST(BackfillModel, EndsExactlyEqualUnderRandomWritesAndCrashes) {
  const char* fixed = std::getenv("SWITCHBACK_TEST_SEED");
  const std::uint64_t first =
      fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : std::uint64_t{std::random_device{}()};
  const int rounds = fixed != nullptr ? 1 : 400;

  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(round);
    SCOPED_TRACE("SWITCHBACK_TEST_SEED=" + std::to_string(seed));
    RandomFill(seed).Run();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace switchback::test
