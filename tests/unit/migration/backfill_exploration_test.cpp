// Every schedule of a small fill: three records, four writes out of six kinds, a source that
// applies them when it likes and may lose its newest transaction, and a fill of one record a step
// that is begun anew before each step, as after a crash. All states that can be reached are
// visited; the fill's invariant is checked in each.
#include <gtest/gtest.h>

#include <deque>
#include <unordered_set>

#include "fill_world.hpp"

namespace switchback::test {
namespace {

constexpr std::size_t kWriteCountMax = 4;

Records Initial() {
  return {{"a", {{"1", "i"}, {"2", "i"}}}, {"b", {{"1", "i"}}}};
}

// What a client may do. Values name the batch, so that no two writes look alike.
std::vector<OwnedEffect> WriteOf(int kind, std::size_t batch) {
  const std::string value = "w" + std::to_string(batch);
  switch (kind) {
    case 0: return {PutOf("a", "1", value)};
    case 1: return {DeleteOf("a", "1")};
    case 2: return {PutOf("a", "3", value)};  // after the last one of its collection
    case 3: return {DeleteOf("b", "1"), PutOf("a", "2", value)};
    case 4: return {ClearOf("a")};
    default: return {ClearOf("a"), PutOf("a", "2", value)};
  }
}
constexpr int kWriteKinds = 6;

void Fold(const OwnedEffect& effect, Records& records) {
  if (effect.kind == EffectKind::kPut) records[effect.collection][effect.key] = effect.value;
  if (effect.kind == EffectKind::kDelete) records[effect.collection].erase(effect.key);
  if (effect.kind == EffectKind::kClear) records[effect.collection].clear();
}

Records WithoutEmpty(Records records) {
  std::erase_if(records, [](const auto& collection) { return collection.second.empty(); });
  return records;
}

struct World {
  std::vector<int> writes;  // the log: batch n is of kind writes[n - 1]
  std::uint64_t source_applied = 0;
  Records target;
  StoreState state;  // of the target

  [[nodiscard]] Records ContentAt(std::uint64_t sequence) const {
    Records records = Initial();
    for (std::uint64_t batch = 1; batch <= sequence; ++batch) {
      for (const OwnedEffect& effect : WriteOf(writes[batch - 1], batch)) Fold(effect, records);
    }
    return WithoutEmpty(records);
  }

  [[nodiscard]] std::string Key() const {
    std::string key;
    for (const int write : writes) key += static_cast<char>('0' + write);
    key += "|" + std::to_string(source_applied) + "|" + std::to_string(state.applied_sequence) +
           (state.is_filling ? "f" : "-") + state.fill_collection + "/" + state.fill_key + "|";
    for (const auto& [name, records] : target) {
      for (const auto& [record, value] : records) key += name + record + "=" + value + ",";
    }
    return key;
  }
};

std::vector<Effect> PutsOf(FillWorld& world, const Records& content) {
  std::vector<Effect> effects;
  for (const auto& [name, records] : content) {
    const Collection* collection = *world.catalog().Intern(name);
    for (const auto& [key, value] : records)
      effects.push_back({EffectKind::kPut, collection, key, value});
  }
  return effects;
}

// Stores in memory that hold what `world` says.
void Build(const World& world, const Records& source, FillWorld& stores) {
  for (std::size_t batch = 1; batch <= world.writes.size(); ++batch)
    stores.Log(WriteOf(world.writes[batch - 1], batch));
  StoreState source_state = stores.source_store->State();
  source_state.applied_sequence = world.source_applied;
  FillWorld::Must(stores.source->Apply(PutsOf(stores, source), source_state));
  FillWorld::Must(stores.target->Apply(PutsOf(stores, world.target), world.state));
}

// One step of a fill that knows nothing but the stores; nullopt when it has to wait.
std::optional<World> StepFill(const World& world) {
  static SettableClock clock;
  const Records source = world.ContentAt(world.source_applied);
  FillWorld stores;
  Build(world, source, stores);
  BackfillOptions options;
  options.chunk_record_count_max = 1;
  Backfill fill(stores, options, std::make_shared<BackfillProgress>(clock));
  auto step = fill.Next(world.state);
  if (!step) {
    EXPECT_EQ(step.error().code, ErrorCode::kBusy) << step.error().message << " at " << world.Key();
    EXPECT_LT(world.source_applied, world.state.applied_sequence) << world.Key();
    return std::nullopt;
  }
  FillWorld::Must(stores.target->Apply(step->effects, step->state));
  World next = world;
  next.target = WithoutEmpty(FillWorld::ContentOf(*stores.target_store));
  next.state = step->state;
  return next;
}

World CatchUpOne(const World& world) {
  World next = world;
  next.state.applied_sequence += 1;
  const std::uint64_t batch = next.state.applied_sequence;
  for (const OwnedEffect& effect : WriteOf(world.writes[batch - 1], batch))
    Fold(effect, next.target);
  next.target = WithoutEmpty(next.target);
  return next;
}

std::vector<World> NextOf(const World& world) {
  std::vector<World> worlds;
  if (world.writes.size() < kWriteCountMax) {
    for (int kind = 0; kind < kWriteKinds; ++kind) {
      worlds.push_back(world);
      worlds.back().writes.push_back(kind);
    }
  }
  if (world.source_applied < world.writes.size()) {
    worlds.push_back(world);
    worlds.back().source_applied += 1;
  }
  if (world.source_applied > 0) {  // a power cut: it gets that batch back from the log
    worlds.push_back(world);
    worlds.back().source_applied -= 1;
  }
  if (world.state.is_filling) {
    if (auto next = StepFill(world)) worlds.push_back(*std::move(next));
  } else if (world.state.applied_sequence < world.writes.size()) {
    worlds.push_back(CatchUpOne(world));
  }
  return worlds;
}

// The target is exactly what it should be at its position, as far as it is filled.
void CheckInvariant(const World& world) {
  Records expected = world.ContentAt(world.state.applied_sequence);
  if (world.state.is_filling) {
    const FillCursor cursor(world.state);
    for (auto& [name, records] : expected)
      std::erase_if(records, [&, collection = name](const auto& record) {
        return !cursor.Covers(collection, record.first);
      });
  }
  ASSERT_EQ(world.target, WithoutEmpty(expected)) << world.Key();
}

TEST(BackfillExploration, EverySchedulesEveryStateKeepsTheInvariant) {
  World begin;
  begin.state.log_id = "log-1";
  begin.state.is_filling = true;
  std::deque<World> open{begin};
  std::unordered_set<std::string> seen{begin.Key()};
  std::size_t filled = 0, caught_up = 0;
  while (!open.empty()) {
    const World world = std::move(open.front());
    open.pop_front();
    ASSERT_NO_FATAL_FAILURE(CheckInvariant(world));
    filled += world.state.is_filling ? 0 : 1;
    if (!world.state.is_filling && world.state.applied_sequence == world.writes.size()) {
      caught_up += 1;
      ASSERT_EQ(world.target, world.ContentAt(world.writes.size()));
    }
    for (World& next : NextOf(world)) {
      if (seen.insert(next.Key()).second) open.push_back(std::move(next));
    }
  }

  std::printf("%zu states, %zu of them filled, %zu caught up\n", seen.size(), filled, caught_up);
  EXPECT_GT(seen.size(), 50000u);
  EXPECT_GT(caught_up, 1000u);
}

}  // namespace
}  // namespace switchback::test
