// From the text of a flags file to rules. The forms, all in one file if you like:
//
//   {"USE_UNIFIED_DB_SERVICE": true}
//   {"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 25, "salt": "...",
//                               "allow": ["tenant-a", "test-*"], "deny": [], "bucketing":
//                               "flagd-v2"}}
//
//   {"SHADOW_READ_PERCENTAGE": 5}, or an object as above: no boolean, since it asks how much
//
//   {"USE_UNIFIED_DB_SERVICE": {"state": "ENABLED", "variants": {"on": true, "off": false},
//     "defaultVariant": "off", "targeting": {"fractional": [["on", 25], ["off", 75]]}}}
//
// Only `enabled` must be there. Without `percentage` an enabled flag is on for everybody. The last
// form is flagd's (flags/flagd_flag.hpp). With a top-level object `flags`, a flagd document, the
// flags are its members, in any of the forms; `$evaluators` and `metadata` beside it count.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "common/result.hpp"
#include "flags/flag_snapshot.hpp"

namespace switchback {

inline constexpr std::size_t kFlagFileBytesMax = 1u << 20;

// The flags of `json`, or the reason why none of it counts: one doubtful member rejects the whole
// text, because half a file is nobody's intention. Names that start with '$' are skipped. A member
// under another name than our own that is neither a boolean nor an object is not a flag and is
// skipped too; an object is always taken for a flag and must be one. What is wrong with a flagd
// rule of a flag that is not ours is told whoever evaluates it. Pure but for the clock that rules
// may ask; throws nothing. Errors: kTooLarge (more than kFlagFileBytesMax bytes), kInvalidArgument
// (all else, with the flag's name).
Result<FlagMap> ParseFlags(std::string_view json);

// Where the flags stand in such a text that has been parsed: itself, or the member `flags` of a
// flagd document. `document` is an object.
nlohmann::ordered_json& FlagMembers(nlohmann::ordered_json& document);

}  // namespace switchback
