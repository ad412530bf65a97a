// From the text of a flags file to rules. The forms, all in one file if you like:
//
//   {"USE_UNIFIED_DB_SERVICE": true}
//   {"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25, "salt": "...",
//                               "allow": ["tenant-a", "test-*"], "deny": [], "bucketing":
//                               "flagd-v2"}}
//
//   {"SHADOW_READ_PERCENTAGE": 5}, or an object as above: no boolean, since it asks how much
//
// Only `enabled` must be there. Without `percentage` an enabled flag is on for everybody.
#pragma once

#include <cstddef>
#include <string_view>

#include "common/result.hpp"
#include "flags/flag_snapshot.hpp"

namespace switchback {

inline constexpr std::size_t kFlagFileBytesMax = 1u << 20;

// The flags of `json`, or the reason why none of it counts: one doubtful member rejects the whole
// text, because half a file is nobody's intention. Names that start with '$' are skipped. A member
// under another name than kUnifiedFlagName and kShadowFlagName that is neither a boolean nor an
// object is not a flag of ours and is skipped too; an object is always taken for a flag and must be
// one. Pure; throws nothing. Errors: kTooLarge (more than kFlagFileBytesMax bytes), kUnsupported (a
// flagd document: a top-level object `flags`), kInvalidArgument (all else, with the flag's name).
Result<FlagMap> ParseFlags(std::string_view json);

}  // namespace switchback
