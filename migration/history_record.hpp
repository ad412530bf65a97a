// What the history says about an operation, a deed or a note: one form for all kinds, whatever each
// kind keeps in its own detail.
#pragma once

#include <string>
#include <string_view>

#include "migration/journal_record.hpp"

namespace switchback {

// A longer entry is kept without its steps' and its own detail.
inline constexpr std::size_t kHistoryJsonBytesMax = 256u << 10;

// {"operation", "kind", "action", "actor", "reason", "state", "status", "started_at", "ended_at",
// "from", "to", "evidence", "metrics": {"seconds", "records", "records_restored", "bytes",
// "errors", "attempts"}, "errors": [], "steps": [], "detail": {}}. `state` is the journal's word,
// `status` is SUCCESS, PARTIAL or FAILED. What is not known is "" or null.
std::string OperationHistoryJson(const OperationRecord& operation);

// {"audit", "actor", "action", "detail"}
std::string AuditHistoryJson(const AuditEntry& entry);

// {"operation", "note", "actor", "text"}
std::string NoteHistoryJson(const OperationNote& note);

// SUCCESS, PARTIAL or FAILED; "" while it runs.
std::string FinalStatus(const OperationRecord& operation);

}  // namespace switchback
