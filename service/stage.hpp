// Where a migration stands, as one word. Derived each time from what the stores and the flag say,
// never stored: so it cannot be wrong about them.
//
//   off        legacy alone; unified is empty or being filled
//   dualwrite  both hold every acknowledged write (unified may be catching up); legacy answers
//   shadow     the same, and a share of the reads is compared
//   live       unified answers some keys
//   rampdown   unified answers all keys; legacy still gets every write
//   complete   unified alone: legacy was let go
#pragma once

#include "service/db_service.hpp"

namespace switchback {

struct StageInputs {
  bool is_legacy_gone = false;
  FollowerState unified = FollowerState::kDetached;
  double effective_percentage = 0;
  bool has_shadow_reads = false;
};

constexpr const char* StageOf(const StageInputs& inputs) {
  if (inputs.is_legacy_gone) return "complete";
  const bool is_filled =
      inputs.unified != FollowerState::kDetached && inputs.unified != FollowerState::kBackfilling;
  if (!is_filled) return "off";
  if (inputs.effective_percentage >= 100) return "rampdown";
  if (inputs.effective_percentage > 0) return "live";
  return inputs.has_shadow_reads && inputs.unified == FollowerState::kInSync ? "shadow"
                                                                             : "dualwrite";
}

}  // namespace switchback
