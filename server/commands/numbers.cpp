#include "server/commands/numbers.hpp"

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace switchback {
namespace {

// Longest text that can be a number here; Redis's MAX_LONG_DOUBLE_CHARS.
constexpr std::size_t kLongDoubleCharsMax = 5 * 1024;

}  // namespace

bool ParseInteger(std::string_view text, long long& value) {
  const bool is_negative = !text.empty() && text.front() == '-';
  const std::string_view digits = is_negative ? text.substr(1) : text;
  if (digits.empty() || digits.front() < '0' || digits.front() > '9') return false;
  if (digits.front() == '0' && text.size() != 1) return false;
  long long parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  value = parsed;
  return true;
}

bool ParseCursor(std::string_view text, std::uint64_t& cursor) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseLongDouble(std::string_view text, long double& value) {
  if (text.empty() || text.size() >= kLongDoubleCharsMax) return false;
  if (std::isspace(static_cast<unsigned char>(text.front())) != 0) return false;
  const std::string terminated(text);  // strtold wants a terminator
  char* end = nullptr;
  errno = 0;
  const long double parsed = std::strtold(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size()) return false;
  if (errno == ERANGE && (std::isinf(parsed) || parsed == 0)) return false;
  if (std::isnan(parsed)) return false;
  value = parsed;
  return true;
}

std::string FormatLongDouble(long double value) {
  std::string text(kLongDoubleCharsMax, '\0');
  const int length = std::snprintf(text.data(), text.size(), "%.17Lf", value);
  text.resize(static_cast<std::size_t>(length));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

}  // namespace switchback
