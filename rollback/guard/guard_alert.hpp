// What the guard tells people.
#pragma once

#include <cstdint>
#include <string>

namespace switchback {

// Critical: it goes back at once. Major: it proposes to, and does so unless somebody has said no in
// time. Minor: a note.
enum class GuardSeverity : std::uint8_t { kCritical, kMajor, kMinor };
const char* GuardSeverityName(GuardSeverity severity);

struct GuardAlert {
  GuardSeverity severity = GuardSeverity::kMajor;
  std::string name;  // "both-fail", "memory", "error-bursts", "slower", ...
  std::string text;
  bool wants_rollback = false;  // going back to legacy would help
};

}  // namespace switchback
