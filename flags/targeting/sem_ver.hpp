// Semantic versions (source: semver.org, 2.0.0), read as leniently as flagd's sem_ver reads them:
// a leading v, and one or two numbers instead of three.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchback {

struct SemVer {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::vector<std::string> prerelease;  // identifiers; what is behind a '+' does not count
};

// nullopt: not a version. Pure.
std::optional<SemVer> ParseSemVer(std::string_view text);

// By precedence.
std::weak_ordering CompareSemVer(const SemVer& left, const SemVer& right);

}  // namespace switchback
