// Two stores in memory that both follow a log, each up to where the test lets it; and changes made
// to one of them behind the log's back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fill_world.hpp"
#include "migration/comparison.hpp"

namespace switchback::test {

class PairWorld : public FillWorld {
 public:
  PairWorld() {
    StoreState state = source_store->State();
    target_store->Commit({}, state);  // nothing is being filled
  }

  // Each store follows the log up to `sequence`, or to its end.
  void Apply(Role role, std::uint64_t sequence) {
    MemoryStore& store = StoreOf(role);
    StoreState state = store.State();
    while (state.applied_sequence < sequence) {
      std::vector<Effect> effects;
      for (const OwnedEffect& effect : log[state.applied_sequence])
        effects.push_back({effect.kind, &Named(effect.collection), effect.key, effect.value});
      state.applied_sequence += 1;
      store.Commit(effects, state);
    }
  }
  void ApplyAll() {
    Apply(Role::kLegacy, log.size());
    Apply(Role::kUnified, log.size());
  }
  // The store has applied the batch, its position says so, but these effects are lost.
  void LoseBatch(Role role) {
    MemoryStore& store = StoreOf(role);
    StoreState state = store.State();
    state.applied_sequence += 1;
    store.Commit({}, state);
  }
  // nullopt: deletes it.
  void Corrupt(Role role, const std::string& collection, const std::string& key,
               const std::optional<std::string>& value) {
    const Effect effect{value ? EffectKind::kPut : EffectKind::kDelete, &Named(collection), key,
                        value ? std::string_view(*value) : std::string_view()};
    StoreOf(role).Commit(std::span(&effect, 1), StoreOf(role).State());
  }

  const Collection& Named(const std::string& name) { return **catalog().Intern(name); }
  MemoryStore& StoreOf(Role role) { return role == Role::kLegacy ? *source_store : *target_store; }
};

// "collection/key kind" of each difference, in order.
inline std::vector<std::string> NamesOf(const std::vector<Difference>& differences) {
  std::vector<std::string> names;
  for (const Difference& difference : differences) {
    names.push_back(difference.collection + "/" + difference.key + " " +
                    DifferenceKindName(difference.kind()));
  }
  return names;
}

}  // namespace switchback::test
