#include "flags/flag_snapshot.hpp"

namespace switchback {

const FlagRule& FlagSnapshot::unified() const {
  static const FlagRule off;
  const auto found = flags.find(kUnifiedFlagName);
  return found == flags.end() ? off : found->second;
}

bool FlagSnapshot::is_read_only() const {
  const auto found = flags.find(kReadOnlyFlagName);
  return found != flags.end() && found->second.share() > 0;
}

std::uint32_t FlagSnapshot::shadow_share() const {
  const auto found = flags.find(kShadowFlagName);
  return found == flags.end() ? 0 : found->second.share();
}

}  // namespace switchback
