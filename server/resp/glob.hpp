// Patterns of KEYS, SCAN MATCH and CONFIG GET: * ? [abc] [^a-z] and \x, by the rules of Redis's
// stringmatchlen. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace switchback {

enum class LetterCase { kExact, kIgnored };

// True when all of `text` matches. Iterative: at most |pattern| x |text| steps, where Redis's
// recursion could take exponential time.
bool GlobMatches(std::string_view pattern, std::string_view text,
                 LetterCase letter_case = LetterCase::kExact);

// The bytes that everything that matches begins with, "" when any byte may come first. What matches
// "user:1*" lies in one range of keys.
std::string GlobLiteralPrefix(std::string_view pattern);

}  // namespace switchback
