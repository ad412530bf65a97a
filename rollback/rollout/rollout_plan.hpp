// What a rollout would do, and what speaks against it, before anything is done.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "rollback/rollout/rollout_sight.hpp"

namespace switchback {

inline constexpr std::size_t kRolloutStepCountMax = 100;
inline constexpr std::chrono::milliseconds kRolloutIntervalMin{100};
inline constexpr std::chrono::hours kRolloutIntervalMax{24 * 30};
inline constexpr std::uint64_t kRolloutOperationsMinDefault = 1000;

struct RolloutRequest {
  std::vector<double> percentages;
  std::chrono::milliseconds interval{std::chrono::minutes(10)};
  std::uint64_t operations_min = kRolloutOperationsMinDefault;
  std::string actor = "http";
  std::string reason;
};

struct RolloutPlan {
  std::vector<FlagPoint> steps;
  std::chrono::milliseconds interval{0};
  std::uint64_t operations_min = 0;
  FlagPoint before;
  std::string written;                // what the file says now
  std::vector<std::string> refusals;  // each has to go before it can begin
  std::vector<std::string> warnings;
};

// Blocks never; `flag` is what the file says. Error: kInvalidArgument for what is no rollout
// (interval, number of steps); what is one and must not begin is in `refusals`.
Result<RolloutPlan> PlanRollout(const RolloutRequest& request, const RolloutFlag& flag,
                                const GuardStatus& guard, DbService& service);

}  // namespace switchback
