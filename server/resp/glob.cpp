#include "server/resp/glob.hpp"

#include <utility>

namespace switchback {
namespace {

unsigned char Fold(char c, LetterCase letter_case) {
  const auto byte = static_cast<unsigned char>(c);
  if (letter_case == LetterCase::kIgnored && byte >= 'A' && byte <= 'Z') {
    return static_cast<unsigned char>(byte + ('a' - 'A'));
  }
  return byte;
}

// Matches `c` against the class whose '[' stands at `at`; leaves `at` behind the class. A class
// that is not closed ends with the pattern, as in Redis.
bool MatchClass(std::string_view pattern, std::size_t& at, char c, LetterCase letter_case) {
  ++at;
  const bool is_negated = at < pattern.size() && pattern[at] == '^';
  if (is_negated) ++at;
  const unsigned char wanted = Fold(c, letter_case);
  bool is_match = false;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      is_match |= Fold(pattern[at], letter_case) == wanted;
      ++at;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      unsigned char low = Fold(pattern[at], letter_case);
      unsigned char high = Fold(pattern[at + 2], letter_case);
      if (low > high) std::swap(low, high);
      is_match |= wanted >= low && wanted <= high;
      at += 3;
    } else {
      is_match |= Fold(pattern[at], letter_case) == wanted;
      ++at;
    }
  }
  if (at < pattern.size()) ++at;  // the ']'
  return is_match != is_negated;
}

// Matches `c` against the one element at `at`, which is no '*'; leaves `at` behind it.
bool MatchOne(std::string_view pattern, std::size_t& at, char c, LetterCase letter_case) {
  switch (pattern[at]) {
    case '?': ++at; return true;
    case '[': return MatchClass(pattern, at, c, letter_case);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default: return Fold(pattern[at++], letter_case) == Fold(c, letter_case);
  }
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text, LetterCase letter_case) {
  std::size_t at = 0;
  std::size_t text_at = 0;
  // Where to go on when the elements behind the last '*' fail: only the last star ever has to give,
  // because an earlier one can do nothing that the last cannot.
  std::size_t star_at = std::string_view::npos;
  std::size_t star_text_at = 0;
  while (text_at < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star_at = ++at;
      star_text_at = text_at;
      continue;
    }
    if (at < pattern.size() && MatchOne(pattern, at, text[text_at], letter_case)) {
      ++text_at;
      continue;
    }
    if (star_at == std::string_view::npos) return false;
    at = star_at;
    text_at = ++star_text_at;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

std::string GlobLiteralPrefix(std::string_view pattern) {
  std::string prefix;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '*' || c == '?' || c == '[') break;
    if (c == '\\' && at + 1 < pattern.size()) ++at;
    prefix += pattern[at];
  }
  return prefix;
}

}  // namespace switchback
