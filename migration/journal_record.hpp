// What the journal keeps, as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchback {

struct OperationStep {
  std::string name;
  std::string status;  // "running" "done" "failed"
  std::string started_at;
  std::string ended_at;  // "" while it runs
  std::string detail;    // what came of it, for people
};

struct OperationRecord {
  std::int64_t id = 0;
  std::string kind;    // "migration", "migration-rollback", "verify", "schema", ...
  std::string actor;   // who asked for it
  std::string reason;  // why, "" when nobody said
  std::string status;  // "running" "done" "failed" "cancelled"
  std::string started_at;
  std::string ended_at;  // "" while it runs
  std::string detail;    // JSON object: figures and results
  std::vector<OperationStep> steps;
};

struct AuditEntry {
  std::int64_t id = 0;
  std::string time;
  std::string actor;
  std::string action;
  std::string detail;
};

// What a person has to add to an operation, afterwards as a rule.
struct OperationNote {
  std::int64_t operation = 0;
  std::string kind = "note";  // "root-cause" "lesson" "note"
  std::string actor;
  std::string text;
};

inline constexpr std::size_t kNoteBytesMax = 16u << 10;
// Whether there is such a kind of note.
bool IsNoteKind(std::string_view kind);

// A record that somebody has to know about, in a named list. One entry a record.
struct Finding {
  std::string collection;
  std::string key;
  std::string detail;  // JSON object
};

}  // namespace switchback
