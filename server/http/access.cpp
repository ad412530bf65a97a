#include "server/http/access.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "server/config.hpp"
#include "server/http/problem.hpp"

namespace switchback {
namespace {

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

bool IsIpAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

bool IsPort(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

HttpResponse TooManyLogins(std::chrono::seconds wait) {
  auto response = ProblemResponse(
      429, "too-many-logins",
      "too many wrong tokens came from this address: wait " + std::to_string(wait.count()) + " s");
  response.headers.emplace_back("Retry-After", std::to_string(wait.count()));
  return response;
}

bool IsMutation(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

}  // namespace

std::string HostName(std::string_view authority) {
  std::string_view host = authority;
  std::string_view port;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return "";
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!port.empty() && !port.starts_with(':')) return "";
    if (!port.empty()) port.remove_prefix(1);
  } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (!IsPort(port)) return "";
  return LowerCase(host);
}

bool AccessPolicy::IsOurHost(std::string_view host) const {
  if (host.empty()) return false;
  if (IsLoopbackAddress(host) || host == LowerCase(options_.bind_address)) return true;
  for (const std::string& allowed : options_.allowed_hosts) {
    if (host == LowerCase(allowed)) return true;
  }
  const bool is_wildcard = options_.bind_address == "0.0.0.0" || options_.bind_address == "::";
  return is_wildcard && IsIpAddress(std::string(host));
}

std::optional<HttpResponse> AccessPolicy::CheckHost(const HttpRequest& request) const {
  const std::string_view authority = request.Header("host");
  if (authority.empty()) return ProblemResponse(400, "host-missing", "a Host header is needed");
  if (IsOurHost(HostName(authority))) return std::nullopt;
  return ProblemResponse(421, "host-not-allowed",
                         "the Host header does not name this server; add the name to "
                         "\"allowed_hosts\" in the configuration if it is right");
}

std::optional<HttpResponse> AccessPolicy::CheckOrigin(const HttpRequest& request) const {
  const std::string_view site = request.Header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none")
    return ProblemResponse(403, "cross-site", "requests from pages of other sites are refused");
  const std::string_view origin = request.Header("origin");
  if (origin.empty()) return std::nullopt;
  // Scheme aside, since a proxy in front may speak TLS; host and port must be what was asked for.
  const auto scheme_end = origin.find("://");
  const std::string_view authority =
      scheme_end == std::string_view::npos ? std::string_view() : origin.substr(scheme_end + 3);
  if (!authority.empty() && LowerCase(authority) == LowerCase(request.Header("host")))
    return std::nullopt;
  return ProblemResponse(403, "cross-site", "requests from pages of other sites are refused");
}

std::optional<Principal> AccessPolicy::Find(std::string_view token) const {
  if (!options_.token.empty() && ConstantTimeEqual(token, options_.token)) return Principal{};
  return options_.tokens == nullptr ? std::nullopt : options_.tokens->Find(token);
}

std::variant<Principal, HttpResponse> AccessPolicy::Authenticate(const HttpRequest& request) const {
  if (options_.token.empty() && options_.tokens == nullptr) return Principal{};
  const std::string_view value = request.Header("authorization");
  const auto wait =
      options_.logins == nullptr ? std::nullopt : options_.logins->WaitOf(request.peer);
  if (wait && !LoginLimiter::IsLocal(request.peer)) return TooManyLogins(*wait);
  constexpr std::string_view kScheme = "bearer ";
  const bool has_scheme =
      value.size() > kScheme.size() && LowerCase(value.substr(0, kScheme.size())) == kScheme;
  if (has_scheme) {
    if (auto found = Find(value.substr(kScheme.size()))) return *std::move(found);
  }
  // Who shows nothing does not guess.
  if (!value.empty() && options_.logins != nullptr) options_.logins->CountFailure(request.peer);
  if (wait && !value.empty()) return TooManyLogins(*wait);
  auto response = ProblemResponse(401, "unauthorized",
                                  "this server asks for a token: Authorization: Bearer TOKEN");
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"switchback\"");
  return response;
}

std::optional<HttpResponse> AccessPolicy::CheckContentType(const HttpRequest& request) {
  if (!IsMutation(request.method)) return std::nullopt;
  std::string type = LowerCase(request.Header("content-type"));
  type.resize(std::min(type.size(), type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  if (type == "application/json") return std::nullopt;
  return ProblemResponse(415, "content-type",
                         "a request that changes something needs Content-Type: application/json");
}

}  // namespace switchback
