#include "flags/flag_snapshot.hpp"

#include <algorithm>

namespace switchback {

const FlagRule& FlagSnapshot::unified() const {
  static const FlagRule off;
  const auto found = flags.find(kUnifiedFlagName);
  return found == flags.end() ? off : found->second;
}

const FlagRule& FlagSnapshot::unified(std::string_view collection) const {
  const auto found = flags.find(std::string(kOverridePrefix).append(collection));
  return found == flags.end() ? unified() : found->second;
}

std::map<std::string, const FlagRule*> FlagSnapshot::overrides() const {
  std::map<std::string, const FlagRule*> found;
  for (auto flag = flags.lower_bound(kOverridePrefix);
       flag != flags.end() && flag->first.starts_with(kOverridePrefix); ++flag)
    found.emplace(flag->first.substr(kOverridePrefix.size()), &flag->second);
  return found;
}

bool FlagSnapshot::has_overrides() const {
  return !overrides().empty();
}

bool FlagSnapshot::may_go_to_unified() const {
  const auto each = overrides();
  return unified().MayBeOn() || std::any_of(each.begin(), each.end(), [](const auto& override) {
           return override.second->MayBeOn();
         });
}

bool FlagSnapshot::is_read_only() const {
  const auto found = flags.find(kReadOnlyFlagName);
  return found != flags.end() && found->second.MayBeOn();
}

std::uint32_t FlagSnapshot::shadow_share() const {
  const auto found = flags.find(kShadowFlagName);
  return found == flags.end() ? 0 : found->second.share();
}

}  // namespace switchback
