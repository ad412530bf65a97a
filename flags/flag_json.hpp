// A flag as JSON, for the control plane and the command line.
#pragma once

#include <string>

#include "flags/flag.hpp"

namespace switchback {

// The canonical JSON of one flag, on one line with all defaults spelled out:
//   {"enabled":true,"percentage":25,"salt":"...","allow":[],"deny":[],"bucketing":"flagd-v2"}
// `percentage` is the configured one, also while the flag is not enabled (100 for the boolean
// form). A rule that is more than a share has it as "targeting" besides, and its percentage is a
// guess from a sample; of all others ParseFlags() accepts the text as a flag's value and gives an
// equal rule. Valid UTF-8 always.
std::string FlagRuleToJson(const FlagRule& rule);

}  // namespace switchback
