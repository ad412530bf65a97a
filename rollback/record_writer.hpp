// Gathers effects into transactions of one store.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "backends/backend.hpp"
#include "common/result.hpp"

namespace switchback {

// One thread. The target outlives it; nobody else writes to it.
class RecordWriter {
 public:
  // Each transaction leaves `state`. `step` is told of the bytes, as ReadView::CopyTo tells it.
  RecordWriter(Backend& target, StoreState state, const ReadView::CopyStep& step)
      : target_(target), state_(std::move(state)), step_(step) {}

  // Copies what the effect points to. Writes when enough has gathered.
  Status Add(const Effect& effect);
  Status Put(const Collection& collection, std::string_view key, std::string_view value) {
    return Add({EffectKind::kPut, &collection, key, value});
  }
  // What has gathered, be it nothing, and the state. Not durable.
  Status Write();

 private:
  Backend& target_;
  const StoreState state_;
  const ReadView::CopyStep& step_;
  std::deque<std::string> kept_;  // what the effects point to
  std::vector<Effect> effects_;
  std::size_t bytes_ = 0;
};

}  // namespace switchback
