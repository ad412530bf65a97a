#include "server/http/router.hpp"

#include <algorithm>
#include <optional>

namespace switchback {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0 || high * 16 + low == 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

// Takes the part up to the next '/' off `rest`.
std::string_view NextSegment(std::string_view& rest) {
  const std::string_view segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
  return segment;
}

std::optional<PathParameters> MatchPattern(std::string_view pattern, std::string_view path) {
  PathParameters parameters;
  if (std::count(pattern.begin(), pattern.end(), '/') != std::count(path.begin(), path.end(), '/'))
    return std::nullopt;
  while (!pattern.empty()) {
    const std::string_view expected = NextSegment(pattern);
    const std::string_view segment = NextSegment(path);
    if (!expected.starts_with('{')) {
      if (expected != segment) return std::nullopt;
      continue;
    }
    auto decoded = PercentDecode(segment);
    if (!decoded || decoded->empty()) return std::nullopt;
    parameters.push_back(*std::move(decoded));
  }
  return parameters;
}

void Append(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
  if (method == "GET") list += ", HEAD";
}

}  // namespace

Router::Found Router::Find(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  std::string allow;
  for (const Route& route : routes_) {
    auto parameters = MatchPattern(route.pattern, path);
    if (!parameters) continue;
    if (route.method == wanted) return Match{&route, *std::move(parameters)};
    Append(allow, route.method);
  }
  if (!allow.empty()) return WrongMethod{std::move(allow)};
  return NoRoute{};
}

}  // namespace switchback
