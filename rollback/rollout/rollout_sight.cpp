#include "rollback/rollout/rollout_sight.hpp"

#include <fmt/format.h>

#include <cmath>

#include "flags/flag_file.hpp"
#include "flags/share.hpp"

namespace switchback {
namespace {

RolloutFile::Kind KindOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound: return RolloutFile::Kind::kAbsent;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
    case ErrorCode::kTooLarge: return RolloutFile::Kind::kBroken;
    default: return RolloutFile::Kind::kUnreadable;
  }
}

std::string StoreText(Role role, const FollowerStatus& store) {
  return std::string(RoleName(role)) + " is " + FollowerStateName(store.state) +
         (store.reason.empty() ? "" : ": " + store.reason);
}

}  // namespace

RolloutFlag ReadRolloutFlag(const std::string& path) {
  RolloutFlag flag;
  const auto flags = LoadFlagFile(path);
  if (!flags) {
    flag.file.kind = KindOf(flags.error().code);
    flag.file.problem = flags.error().message;
    return flag;
  }
  if (const auto found = flags->find(kUnifiedFlagName); found != flags->end())
    flag.rule = found->second;
  flag.file.flag = PointOf(flag.rule_or_null()).flag;
  return flag;
}

std::string RolloutTrip(const GuardStatus& guard) {
  if (!guard.latched) return "";
  return fmt::format("every key goes to legacy ({} {}): {}", guard.latched->cause,
                     guard.latched->id, guard.latched->reason);
}

std::string RolloutHold(const GuardStatus& guard, const ServiceStatus& service,
                        std::uint32_t share) {
  for (const Role role : kRoles) {
    const FollowerStatus& store = service.followers[Index(role)];
    if (store.state != FollowerState::kInSync) return StoreText(role, store);
  }
  if (std::abs(service.routing.effective_percentage * 1000 - share) >= 0.5)
    return fmt::format("{:.3f} % of the keys are in effect instead of {} %{}",
                       service.routing.effective_percentage, FormatPercentage(share),
                       service.routing.reason.empty() ? "" : ": " + service.routing.reason);
  if (guard.state == "off") return "";
  if (guard.state == "waiting") return "the guard has tripped, and waits for legacy to be in sync";
  if (guard.proposal) return "the guard proposes to go back: " + guard.proposal->trip.reason;
  if (!guard.holds_ramp) return "";
  const double limit = guard.streams.empty() ? 0 : guard.streams.front().limit;
  if (guard.ramp_sum >= limit && limit > 0)
    return fmt::format(
        "the guard sees more errors of unified than a rollout may go on with ({:.1f} "
        "of {:.1f})",
        guard.ramp_sum, limit);
  return "the guard sees no traffic on unified to judge by";
}

std::uint64_t CleanReads(const MetricsSnapshot& metrics) {
  std::uint64_t count = 0;
  std::uint64_t errors = 0;
  for (const Operation read : {Operation::kGet, Operation::kMultiGet, Operation::kScan}) {
    const OperationCounts& counts = metrics.Of(Role::kUnified, read);
    count += counts.latency.Count();
    errors += counts.errors;
  }
  return count - std::min(count, errors);
}

}  // namespace switchback
