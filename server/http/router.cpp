#include "server/http/router.hpp"

#include <algorithm>
#include <optional>

#include "server/http/query.hpp"

namespace switchback {
namespace {

// A name holds no NUL: what C calls would cut short there is refused. A key may hold any bytes.
std::optional<std::string> DecodeSegment(std::string_view text, bool may_hold_nul) {
  auto decoded = PercentDecode(text);
  if (decoded && !may_hold_nul && decoded->find('\0') != std::string::npos) return std::nullopt;
  return decoded;
}

// Takes the part up to the next '/' off `rest`.
std::string_view NextSegment(std::string_view& rest) {
  const std::string_view segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
  return segment;
}

std::optional<PathParameters> MatchPattern(const Route& route, std::string_view path) {
  std::string_view pattern = route.pattern;
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
    auto decoded = DecodeSegment(segment, route.is_record);
    if (!decoded || decoded->empty()) return std::nullopt;
    parameters.push_back(*std::move(decoded));
  }
  if (!path.empty()) return std::nullopt;  // "/" is not the beginning of every path
  return parameters;
}

void Append(std::string& list, std::string_view method) {
  if (!list.empty()) list += ", ";
  list += method;
  if (method == "GET") list += ", HEAD";
}

}  // namespace

HttpRouter::Found HttpRouter::Find(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  std::string allow;
  for (const Route& route : routes_) {
    auto parameters = MatchPattern(route, path);
    if (!parameters) continue;
    if (route.method == wanted) return Match{&route, *std::move(parameters)};
    Append(allow, route.method);
  }
  if (!allow.empty()) return WrongMethod{std::move(allow)};
  return NoRoute{};
}

}  // namespace switchback
