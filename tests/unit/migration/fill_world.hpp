// Two stores in memory and a log between them, for tests that drive a fill step by step and decide
// what happens between the steps.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/memory_backend.hpp"
#include "backends/memory_store.hpp"
#include "common/clock.hpp"
#include "migration/backfill.hpp"
#include "service/fill.hpp"

namespace switchback::test {

class SettableClock : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return SteadyTime{} + elapsed; }
  [[nodiscard]] WallTime WallNow() const override { return WallTime{} + elapsed; }
  std::chrono::milliseconds elapsed{1000};
};

struct OwnedEffect {
  EffectKind kind = EffectKind::kPut;
  std::string collection;
  std::string key;
  std::string value;
};

inline OwnedEffect PutOf(std::string collection, std::string key, std::string value) {
  return {EffectKind::kPut, std::move(collection), std::move(key), std::move(value)};
}
inline OwnedEffect DeleteOf(std::string collection, std::string key) {
  return {EffectKind::kDelete, std::move(collection), std::move(key), {}};
}
inline OwnedEffect ClearOf(std::string collection) {
  return {EffectKind::kClear, std::move(collection), {}, {}};
}

using Records = std::map<std::string, std::map<std::string, std::string>>;

class FillWorld : public FillAccess {
 public:
  FillWorld() {
    OpenStores();
    StoreState source_state;
    source_state.log_id = "log-1";
    Must(source->Apply({}, source_state));
    StoreState target_state = source_state;
    target_state.is_filling = true;
    Must(target->Apply({}, target_state));
  }

  // Both stores as a restarted process finds them.
  void OpenStores() {
    source = std::make_unique<MemoryBackend>(source_store, catalog_, "source");
    target = std::make_unique<MemoryBackend>(target_store, catalog_, "target");
  }

  // A batch is durable in the log; the source has not applied it yet.
  void Log(std::vector<OwnedEffect> effects) { log.push_back(std::move(effects)); }
  // The source follows the log up to `sequence`.
  void ApplyToSource(std::uint64_t sequence) {
    StoreState state = source_store->State();
    while (state.applied_sequence < sequence) {
      const std::vector<Effect> effects = Views(log[state.applied_sequence]);
      state.applied_sequence += 1;
      Must(source->Apply(effects, state));
    }
  }
  void Write(std::vector<OwnedEffect> effects) {
    Log(std::move(effects));
    ApplyToSource(log.size());
  }

  // One step, committed in the target. False once the fill is over.
  bool Step(Backfill& fill) {
    auto step = fill.Next(target_store->State());
    EXPECT_TRUE(step.has_value()) << (step ? "" : step.error().message);
    if (!step) return false;
    Must(target->Apply(step->effects, step->state));
    fill.Committed();
    return step->state.is_filling;
  }
  void Finish(Backfill& fill) {
    for (int steps = 0; Step(fill); ++steps) ASSERT_LT(steps, 100000) << "the fill does not end";
  }
  // What the follower does once the fill is over.
  void CatchUpTarget() {
    StoreState state = target_store->State();
    ASSERT_FALSE(state.is_filling);
    while (state.applied_sequence < log.size()) {
      const std::vector<Effect> effects = Views(log[state.applied_sequence]);
      state.applied_sequence += 1;
      Must(target->Apply(effects, state));
    }
  }

  static Records ContentOf(const MemoryStore& store) {
    Records content;
    const auto newest = store.Newest();
    for (const auto& [name, records] : newest->collections) {
      for (const auto& [key, value] : *records) content[name][key] = value;
    }
    return content;
  }

  // FillAccess.
  Result<std::unique_ptr<ReadView>> NewStoreView(Role role) override {
    return role == Role::kLegacy ? source->NewReadView() : target->NewReadView();
  }
  Result<std::unique_ptr<LogBatchReader>> ReadLog(std::uint64_t after) override {
    if (after < trimmed) return Fail(ErrorCode::kNotFound, "trimmed");
    return std::unique_ptr<LogBatchReader>(std::make_unique<Reader>(*this, after));
  }
  CollectionCatalog& catalog() override { return catalog_; }

  std::shared_ptr<MemoryStore> source_store = std::make_shared<MemoryStore>();
  std::shared_ptr<MemoryStore> target_store = std::make_shared<MemoryStore>();
  std::unique_ptr<MemoryBackend> source, target;
  std::vector<std::vector<OwnedEffect>> log;  // batch n is log[n - 1]
  std::uint64_t trimmed = 0;                  // batches up to this one are gone

  static void Must(const Status& status) {
    ASSERT_TRUE(status.has_value()) << (status ? "" : status.error().message);
  }

 private:
  class Reader : public LogBatchReader {
   public:
    Reader(FillWorld& world, std::uint64_t after) : world_(world), position_(after) {}
    Result<std::optional<LogBatch>> Next(std::uint64_t last) override {
      if (position_ < world_.trimmed) return Fail(ErrorCode::kNotFound, "trimmed");
      if (position_ >= last || position_ >= world_.log.size()) return std::optional<LogBatch>{};
      // A copy that dies at the next call, as the contract allows: views kept longer are caught
      // by the address sanitizer.
      batch_ = std::make_unique<std::vector<OwnedEffect>>(world_.log[position_]);
      position_ += 1;
      LogBatch batch;
      batch.sequence = position_;
      batch.effects = world_.Views(*batch_);
      return std::optional<LogBatch>(std::move(batch));
    }

   private:
    FillWorld& world_;
    std::uint64_t position_;
    std::unique_ptr<std::vector<OwnedEffect>> batch_;
  };

  std::vector<Effect> Views(const std::vector<OwnedEffect>& owned) {
    std::vector<Effect> effects;
    for (const OwnedEffect& effect : owned) {
      const auto collection = catalog_.Intern(effect.collection);
      EXPECT_TRUE(collection.has_value());
      effects.push_back({effect.kind, *collection, effect.key, effect.value});
    }
    return effects;
  }

  CollectionCatalog catalog_;
};

}  // namespace switchback::test
