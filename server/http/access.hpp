// Who may ask: the checks every request passes before a handler sees it.
//
// The control plane listens on loopback, where any web page the operator opens can send requests
// too. Against that: the Host header must be a name of ours (a page that had its own name resolve
// to 127.0.0.1 sends that name), requests that a browser marks as coming from another site are
// refused, and changes need a content type that no HTML form can send.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/access/login_limiter.hpp"
#include "server/access/token_registry.hpp"
#include "server/http/message.hpp"

namespace switchback {

struct AccessOptions {
  std::string bind_address = "127.0.0.1";
  std::vector<std::string> allowed_hosts;  // names besides those of loopback and the bind address
  std::string token;                       // an admin's, without a name; "" = there is none
  // Named tokens besides; null: there are none. Without these and `token` everybody is an admin.
  const TokenRegistry* tokens = nullptr;
  LoginLimiter* logins = nullptr;  // null: guessing is not slowed down
};

// Immutable; any thread may call it. Each check gives the answer to send instead, or nullopt.
class AccessPolicy {
 public:
  explicit AccessPolicy(AccessOptions options) : options_(std::move(options)) {}

  // 400 without a Host header, 421 for a host that is not ours. The port does not count. With a
  // wildcard bind every IP address is ours: no name was resolved for it, so none was rebound.
  [[nodiscard]] std::optional<HttpResponse> CheckHost(const HttpRequest& request) const;
  // 403 for a request that a page of another site made.
  [[nodiscard]] std::optional<HttpResponse> CheckOrigin(const HttpRequest& request) const;
  // Who asks, by `Authorization: Bearer`, or the refusal: 401 without a right token, 429 after too
  // many wrong ones. Compares in constant time.
  [[nodiscard]] std::variant<Principal, HttpResponse> Authenticate(
      const HttpRequest& request) const;
  // 415 unless the body is declared as JSON; only for methods that change something.
  [[nodiscard]] static std::optional<HttpResponse> CheckContentType(const HttpRequest& request);

 private:
  [[nodiscard]] std::optional<Principal> Find(std::string_view token) const;
  [[nodiscard]] bool IsOurHost(std::string_view host) const;

  AccessOptions options_;
};

// The host of a Host header or of an origin's authority, lower case, without port and brackets; ""
// when it is malformed.
std::string HostName(std::string_view authority);

}  // namespace switchback
