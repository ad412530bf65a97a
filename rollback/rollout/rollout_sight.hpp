// What a rollout looks at, taken from what the others say. Pure, but for the reading of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flags/flag.hpp"
#include "rollback/guard/guard.hpp"
#include "rollback/rollout/rollout_machine.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct RolloutFlag {
  RolloutFile file;
  std::optional<FlagRule> rule;  // none: the file names no such flag, or cannot be used

  [[nodiscard]] const FlagRule* rule_or_null() const { return rule ? &*rule : nullptr; }
};

// Blocks for the disk.
RolloutFlag ReadRolloutFlag(const std::string& path);

// What ends a rollout: the routing is latched on legacy. "" = nothing.
std::string RolloutTrip(const GuardStatus& guard);
// What it waits for at a share that the file asks for. "" = nothing.
std::string RolloutHold(const GuardStatus& guard, const ServiceStatus& service,
                        std::uint32_t share);
// Reads that unified answered without an error.
std::uint64_t CleanReads(const MetricsSnapshot& metrics);

}  // namespace switchback
