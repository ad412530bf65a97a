#include "flags/targeting/sem_ver.hpp"

#include <algorithm>
#include <charconv>

namespace switchback {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Without leading zeros, and small enough.
bool ParseNumber(std::string_view text, std::uint64_t& number) {
  if (!IsDigits(text) || (text.size() > 1 && text[0] == '0')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

bool ParsePrerelease(std::string_view text, std::vector<std::string>& identifiers) {
  for (const std::string_view part : Split(text, '.')) {
    const bool has_leading_zero = IsDigits(part) && part.size() > 1 && part[0] == '0';
    if (!IsIdentifier(part) || has_leading_zero) return false;
    identifiers.emplace_back(part);
  }
  return true;
}

bool IsBuild(std::string_view text) {
  const auto parts = Split(text, '.');
  return std::all_of(parts.begin(), parts.end(), IsIdentifier);
}

// Numbers before words, numbers by value.
std::weak_ordering CompareIdentifier(const std::string& left, const std::string& right) {
  const bool is_left_number = IsDigits(left);
  const bool is_right_number = IsDigits(right);
  if (is_left_number != is_right_number)
    return is_left_number ? std::weak_ordering::less : std::weak_ordering::greater;
  if (is_left_number && left.size() != right.size()) return left.size() <=> right.size();
  return left.compare(right) <=> 0;
}

}  // namespace

std::optional<SemVer> ParseSemVer(std::string_view text) {
  if (!text.empty() && (text[0] == 'v' || text[0] == 'V')) text.remove_prefix(1);
  SemVer version;
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    if (!IsBuild(text.substr(plus + 1))) return std::nullopt;
    text = text.substr(0, plus);
  }
  const auto dash = text.find('-');
  const auto numbers = Split(text.substr(0, dash), '.');
  const bool is_whole = numbers.size() == 3;
  if (numbers.size() > 3 || (dash != std::string_view::npos && !is_whole)) return std::nullopt;
  std::uint64_t* const fields[] = {&version.major, &version.minor, &version.patch};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!ParseNumber(numbers[i], *fields[i])) return std::nullopt;
  }
  if (dash != std::string_view::npos && !ParsePrerelease(text.substr(dash + 1), version.prerelease))
    return std::nullopt;
  return version;
}

std::weak_ordering CompareSemVer(const SemVer& left, const SemVer& right) {
  if (left.major != right.major) return left.major <=> right.major;
  if (left.minor != right.minor) return left.minor <=> right.minor;
  if (left.patch != right.patch) return left.patch <=> right.patch;
  // A pre-release comes before its release.
  if (left.prerelease.empty() != right.prerelease.empty())
    return left.prerelease.empty() ? std::weak_ordering::greater : std::weak_ordering::less;
  const std::size_t count = std::min(left.prerelease.size(), right.prerelease.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto order = CompareIdentifier(left.prerelease[i], right.prerelease[i]);
    if (order != 0) return order;
  }
  return left.prerelease.size() <=> right.prerelease.size();
}

}  // namespace switchback
