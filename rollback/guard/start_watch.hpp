// Counts starts that came to nothing while the flag sent keys to unified: a service that crashes as
// soon as it serves from unified has to come up on legacy by itself.
#pragma once

#include <optional>

#include "common/clock.hpp"
#include "migration/journal.hpp"
#include "rollback/guard/guard_settings.hpp"
#include "rollback/latch.hpp"

namespace switchback {

// One thread at a time.
class StartWatch {
 public:
  // All outlive it.
  StartWatch(Journal& journal, Latch& latch, const Clock& clock, const GuardSettings& settings)
      : journal_(journal), latch_(latch), clock_(clock), settings_(settings) {}

  // Before any flag is published. Engages the latch when the starts before this one were too many.
  // A journal that cannot be written is no reason not to start: it is logged.
  void Begin(bool is_flag_on);
  // Now and then: once this start has lived long enough, those before it count for nothing.
  void Look();
  // A clean stop.
  void End() { Settle(); }

 private:
  void Settle();

  Journal& journal_;
  Latch& latch_;
  const Clock& clock_;
  const GuardSettings settings_;
  std::optional<SteadyTime> settles_at_;
};

}  // namespace switchback
