// The history as JSON: the same from a running server and from the file of one that does not run.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "migration/journal.hpp"

namespace switchback {

inline constexpr std::size_t kHistoryPageMax = 1000;

// {"entries": [{"number", "time", "kind", "record": {}, "previous_hash", "hash"}], the newest
// first, "next_before": what to ask for next, or null, "head": {"number", "hash"} of the whole
// history}. Errors: those of the journal.
Result<nlohmann::ordered_json> HistoryPageJson(Journal& journal, HistoryQuery query);

// {"operation": as OperationHistoryJson says now, "entries": all about it, the oldest first}.
// Also kNotFound.
Result<nlohmann::ordered_json> HistoryOperationJson(Journal& journal, std::int64_t id);

// {"is_intact", "entries", "head", "broken_at", "problem", "expected_head_at"}. kInvalidArgument
// when `expected_head` is neither "" nor a hash.
Result<nlohmann::ordered_json> HistoryVerdictJson(Journal& journal, std::string_view expected_head);

}  // namespace switchback
