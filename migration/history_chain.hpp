// The links of the history: each entry carries the hash of the one before it, so that none can be
// changed, taken out or put in without all that follow it becoming wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace switchback {

struct HistoryEntry {
  std::int64_t number = 0;    // 1, 2, 3 ... without gaps
  std::string time;           // UTC, ISO 8601
  std::string kind;           // an operation's kind, or "audit" "note" "history"
  std::string json;           // an object (history_record.hpp)
  std::string previous_hash;  // of the entry before; zeros for the first
  std::string hash;           // 64 lower-case hexadecimal digits
};

// What stands in for the hash before the first entry.
inline constexpr std::string_view kHistoryRoot =
    "0000000000000000000000000000000000000000000000000000000000000000";

// SHA-256 over "number|time|kind|json|previous_hash". Neither time nor kind may hold a '|'.
std::string HistoryHash(const HistoryEntry& entry);

struct HistoryVerdict {
  bool is_intact = true;
  std::int64_t entries = 0;    // that are good, from the first on
  std::string head;            // the hash of the last of them; zeros when there is none
  std::int64_t broken_at = 0;  // number of the first entry that is wrong or missing; 0 = none
  std::string problem;         // what is wrong there
  std::int64_t expected_head_at = 0;  // number of the entry that has the hash that was given
};

// Checks entries one after the other. Belongs to one thread.
class HistoryChain {
 public:
  // `expected_head`: the hash that somebody kept elsewhere, which some entry must have; "" = none.
  explicit HistoryChain(std::string_view expected_head);

  // The next entry, in the order of numbers. What comes after the first wrong one is not looked at.
  void Add(const HistoryEntry& entry);
  // What is wrong although all links hold: something else knows of more than the entries say.
  void Miss(const std::string& problem);
  // Once all entries were added.
  [[nodiscard]] HistoryVerdict Finish() const;

 private:
  void Break(std::int64_t number, std::string problem);

  const std::string expected_head_;
  HistoryVerdict verdict_;
};

// Whether the text can be such a hash, in lower or upper case.
bool IsHistoryHash(std::string_view text);

}  // namespace switchback
