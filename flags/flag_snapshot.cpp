#include "flags/flag_snapshot.hpp"

namespace switchback {

const FlagRule& FlagSnapshot::unified() const {
  static const FlagRule off;
  const auto found = flags.find(kUnifiedFlagName);
  return found == flags.end() ? off : found->second;
}

}  // namespace switchback
