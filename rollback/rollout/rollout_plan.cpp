#include "rollback/rollout/rollout_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "flags/share.hpp"

namespace switchback {
namespace {

Status CheckForm(const RolloutRequest& request) {
  if (request.percentages.empty() || request.percentages.size() > kRolloutStepCountMax)
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("a rollout has 1 to {} steps, such as 1,5,25,50,100", kRolloutStepCountMax));
  if (request.interval < kRolloutIntervalMin || request.interval > kRolloutIntervalMax)
    return Fail(ErrorCode::kInvalidArgument, "a step lasts 0.1 s to 30 days");
  return {};
}

// The shares that are valid and larger than the one before; what is wrong with the others.
std::vector<std::uint32_t> TakeShares(const std::vector<double>& percentages,
                                      std::vector<std::string>& refusals) {
  std::vector<std::uint32_t> shares;
  for (const double percentage : percentages) {
    const auto share = ShareFromPercentage(percentage);
    if (!share) {
      refusals.push_back(share.error().message);
    } else if (*share == 0 || (!shares.empty() && *share <= shares.back())) {
      refusals.push_back(fmt::format(
          "the steps have to grow from above 0 to at most 100: {} % is "
          "not more than {} %",
          FormatPercentage(*share), FormatPercentage(shares.empty() ? 0 : shares.back())));
    } else {
      shares.push_back(*share);
    }
  }
  return shares;
}

void CheckFlag(const RolloutFlag& flag, std::uint32_t first, std::vector<std::string>& refusals) {
  if (flag.file.kind == RolloutFile::Kind::kBroken ||
      flag.file.kind == RolloutFile::Kind::kUnreadable)
    refusals.push_back("the flags file cannot be used, correct it first: " + flag.file.problem);
  if (flag.rule && flag.rule->is_targeted())
    refusals.push_back(
        "the flag goes by a targeting rule of its own, which a share would replace: write it as a "
        "share first");
  const std::uint32_t share = flag.rule ? flag.rule->share() : 0;
  if (share > first)
    refusals.push_back(
        fmt::format("the flag is at {} % already: begin with a larger step than {} "
                    "%",
                    FormatPercentage(share), FormatPercentage(first)));
}

void CheckService(const FlagPoint& last, DbService& service, std::vector<std::string>& refusals) {
  const ServiceStatus status = service.GetStatus();
  for (const Role role : kRoles) {
    const FollowerStatus& store = status.followers[Index(role)];
    if (store.state == FollowerState::kInSync) continue;
    refusals.push_back(fmt::format("{} is not in sync ({}{})", RoleName(role),
                                   FollowerStateName(store.state),
                                   store.reason.empty() ? "" : ": " + store.reason));
  }
  const bool is_in_sync = status.followers[Index(Role::kUnified)].state == FollowerState::kInSync;
  FlagSettings settings;
  settings.enabled = true;
  settings.share = last.share;
  const Status may_apply = service.MayApply(FlagRule(std::move(settings)));
  if (is_in_sync && !may_apply) refusals.push_back(may_apply.error().message);
}

void CheckGuard(const GuardStatus& guard, RolloutPlan& plan) {
  if (const std::string trip = RolloutTrip(guard); !trip.empty())
    plan.refusals.push_back(trip + "; let go of it first");
  if (guard.state == "waiting")
    plan.refusals.emplace_back("the guard has tripped, and waits for legacy to be in sync");
  if (guard.state == "off")
    plan.warnings.emplace_back("the guard is off: nothing stops the rollout when unified fails");
  if (guard.is_dry_run)
    plan.warnings.emplace_back(
        "the guard only says what it would do: it will not stop the rollout");
}

}  // namespace

Result<RolloutPlan> PlanRollout(const RolloutRequest& request, const RolloutFlag& flag,
                                const GuardStatus& guard, DbService& service) {
  SB_RETURN_IF_ERROR(CheckForm(request));
  RolloutPlan plan;
  plan.interval = request.interval;
  plan.operations_min = request.operations_min;
  const FlagRule* rule = flag.rule_or_null();
  for (const std::uint32_t share : TakeShares(request.percentages, plan.refusals))
    plan.steps.push_back(PointAt(rule, true, share));
  const FlagPoint now = PointOf(rule);
  plan.before = PointAt(rule, now.is_enabled, now.share);
  plan.written = now.flag;
  if (plan.steps.empty()) return plan;
  CheckFlag(flag, plan.steps.front().share, plan.refusals);
  CheckService(plan.steps.back(), service, plan.refusals);
  CheckGuard(guard, plan);
  if (request.operations_min == 0)
    plan.warnings.emplace_back("no minimum of operations: a step may end without evidence");
  return plan;
}

}  // namespace switchback
