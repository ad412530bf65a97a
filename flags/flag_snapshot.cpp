#include "flags/flag_snapshot.hpp"

namespace switchback {

const FlagRule& FlagSnapshot::unified() const {
  static const FlagRule off;
  const auto found = flags.find(kUnifiedFlagName);
  return found == flags.end() ? off : found->second;
}

std::uint32_t FlagSnapshot::shadow_share() const {
  const auto found = flags.find(kShadowFlagName);
  return found == flags.end() ? 0 : found->second.share();
}

}  // namespace switchback
