#include "flags/flag.hpp"

#include <utility>

#include "common/check.hpp"
#include "flags/flagd_flag.hpp"

namespace switchback {

FlagRule::FlagRule(FlagSettings settings)
    : settings_(std::move(settings)),
      allow_(std::exchange(settings_.allow, {})),
      deny_(std::exchange(settings_.deny, {})),
      salt_hash_(settings_.salt) {
  SB_CHECK(settings_.share <= kShareTotal, "a share is at most everybody");
  SB_CHECK(!settings_.is_targeted || settings_.flagd != nullptr, "who is targeted needs a rule");
  const bool nobody = !settings_.enabled ||
                      (!settings_.is_targeted &&
                       (deny_.has_everything() || (settings_.share == 0 && allow_.is_empty())));
  const bool everybody = settings_.enabled && !settings_.is_targeted && deny_.is_empty() &&
                         (settings_.share == kShareTotal || allow_.has_everything());
  SB_CHECK(!(nobody && everybody), "a rule cannot be off and on for everybody");
  is_constant_ = nobody || everybody;
  constant_ = everybody;
}

bool FlagRule::Constant() const noexcept {
  SB_CHECK(is_constant_, "Constant() is asked only of a rule with one answer");
  return constant_;
}

bool FlagRule::DecideByKey(std::string_view key) const noexcept {
  const std::string_view entity = EntityOf(key);
  if (settings_.is_targeted) return settings_.flagd->Decide(key, entity);
  // Deny wins: who takes an entity out of a rollout must not have to search what puts it in.
  if (deny_.Contains(entity)) return false;
  if (allow_.Contains(entity)) return true;
  return BucketOf(salt_hash_.Finish(entity)) < settings_.share;
}

namespace {

bool IsSameTarget(const FlagSettings& left, const FlagSettings& right) {
  if (left.is_targeted != right.is_targeted) return false;
  return !left.is_targeted || left.flagd == right.flagd ||
         left.flagd->definition() == right.flagd->definition();
}

}  // namespace

bool operator==(const FlagRule& left, const FlagRule& right) noexcept {
  return IsSameTarget(left.settings_, right.settings_) &&
         left.settings_.enabled == right.settings_.enabled &&
         left.settings_.share == right.settings_.share &&
         left.settings_.salt == right.settings_.salt && left.allow_ == right.allow_ &&
         left.deny_ == right.deny_;
}

}  // namespace switchback
