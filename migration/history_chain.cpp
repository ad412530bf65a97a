#include "migration/history_chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "common/sha256.hpp"

namespace switchback {
namespace {

// Without it the same text could be cut into other fields.
bool IsCutClearly(const HistoryEntry& entry) {
  return entry.time.find('|') == std::string::npos && entry.kind.find('|') == std::string::npos;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

std::string HistoryHash(const HistoryEntry& entry) {
  return Sha256Hex(fmt::format("{}|{}|{}|{}|{}", entry.number, entry.time, entry.kind, entry.json,
                               entry.previous_hash));
}

HistoryChain::HistoryChain(std::string_view expected_head)
    : expected_head_(LowerCase(expected_head)) {
  verdict_.head = kHistoryRoot;
}

void HistoryChain::Break(std::int64_t number, std::string problem) {
  verdict_.is_intact = false;
  verdict_.broken_at = number;
  verdict_.problem = std::move(problem);
}

void HistoryChain::Add(const HistoryEntry& entry) {
  if (!verdict_.is_intact) return;
  const std::int64_t expected = verdict_.entries + 1;
  if (entry.number != expected)
    return Break(expected, fmt::format("entry {} is missing: entry {} is what follows", expected,
                                       entry.number));
  if (entry.previous_hash != verdict_.head)
    return Break(expected, fmt::format("entry {} does not carry the hash of the one before it: "
                                       "one of the two is not what was written",
                                       expected));
  if (entry.hash != HistoryHash(entry) || !IsCutClearly(entry))
    return Break(expected, fmt::format("entry {} is not what was written: its hash is {}", expected,
                                       HistoryHash(entry)));
  verdict_.entries = expected;
  verdict_.head = entry.hash;
  if (entry.hash == expected_head_) verdict_.expected_head_at = expected;
}

void HistoryChain::Miss(const std::string& problem) {
  if (verdict_.is_intact) Break(verdict_.entries + 1, problem);
}

HistoryVerdict HistoryChain::Finish() const {
  HistoryVerdict verdict = verdict_;
  if (expected_head_.empty() || !verdict.is_intact || verdict.expected_head_at != 0 ||
      expected_head_ == kHistoryRoot)
    return verdict;
  verdict.is_intact = false;
  verdict.broken_at = verdict.entries + 1;
  verdict.problem = "no entry has the hash " + expected_head_ +
                    ": entries at the end were taken away, or the history was written anew";
  return verdict;
}

bool IsHistoryHash(std::string_view text) {
  return text.size() == kHistoryRoot.size() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

}  // namespace switchback
