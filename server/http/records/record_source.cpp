#include "server/http/records/record_source.hpp"

#include "service/fill.hpp"
#include "service/router.hpp"

namespace switchback {
namespace {

constexpr std::chrono::milliseconds kCatchUpMax{2000};

bool MayServe(const ServiceStatus& status, Role role, const Collection& collection) {
  return status.followers[Index(role)].state == FollowerState::kInSync &&
         collection.IsHeldBy(Index(role));
}

bool IsFilled(FollowerState state) {
  return state == FollowerState::kInSync || state == FollowerState::kCatchingUp;
}

}  // namespace

std::optional<Role> AnsweringRole(DbService& service, const Collection& collection,
                                  std::string_view key) {
  const ServiceStatus status = service.GetStatus();
  const bool is_held = status.routing.is_refused || !status.routing.hold_reason.empty();
  const auto flags = service.flags().Current();
  const Role desired = DesiredRole(flags->unified(collection.name), is_held, key);
  return ServingRole(desired, MayServe(status, desired, collection),
                     MayServe(status, Other(desired), collection));
}

Result<std::unique_ptr<ReadView>> OpenStoreCopy(DbService& service, Role role,
                                                const Collection& collection) {
  const std::string name = RoleName(role);
  if (!collection.IsHeldBy(Index(role)))
    return Fail(ErrorCode::kRefused, name + " does not hold the collection " + collection.name);
  const FollowerState state = service.GetStatus().followers[Index(role)].state;
  if (!IsFilled(state))
    return Fail(ErrorCode::kRefused, name + " is " + FollowerStateName(state) +
                                         ": what it holds now says nothing about its records");
  SB_RETURN_IF_ERROR(service.CatchUp(role, kCatchUpMax));
  auto view = service.fill_access().NewStoreView(role);
  if (!view) return Fail(view.error());
  SB_RETURN_IF_ERROR((*view)->Begin());
  return view;
}

Result<StoreCopy> ReadStoreCopy(DbService& service, Role role, const Collection& collection,
                                std::string_view key) {
  const auto view = OpenStoreCopy(service, role, collection);
  if (!view) return Fail(view.error());
  const auto now = (*view)->State();
  if (!now) return Fail(now.error());
  const auto value = (*view)->Get(collection, key);
  if (!value) return Fail(value.error());
  StoreCopy copy;
  copy.sequence = now->applied_sequence;
  if (*value) copy.value = std::string(**value);
  return copy;
}

}  // namespace switchback
