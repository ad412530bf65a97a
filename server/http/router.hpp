// From method and path to a handler: a table that is walked in order, and that a description of
// the interface can be checked against.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/access/access_role.hpp"
#include "server/http/message.hpp"

namespace switchback {

// What stood in place of the pattern's `{name}` parts, in order, percent-decoded.
using PathParameters = std::vector<std::string>;

struct Route {
  using Handler = std::function<HttpResponse(const HttpRequest&, const PathParameters&)>;

  std::string method;   // "GET" answers HEAD as well
  std::string pattern;  // "/v1/flags/{name}"; a `{...}` part matches one non-empty path segment
  Handler handler;
  bool is_open = false;    // answered without the token
  bool may_block = false;  // the handler waits for a disk or longer: not on the io thread
  // Of records: handled on threads of their own, a parameter may hold NUL, a body is of any type.
  bool is_record = false;
  std::size_t body_bytes_max = 0;        // 0 = what the server takes as a rule
  AccessRole role = AccessRole::kAdmin;  // the least that may; the table says it for each route
  bool has_actor = false;                // the body may name who acts
  bool is_idempotent = false;            // honours Idempotency-Key
  bool is_question = false;              // a POST that changes nothing, and is not logged
  bool is_about_caller = false;          // answered by HandleWhoAmI; `handler` is empty
};

// Immutable after construction; any thread may call it.
class HttpRouter {
 public:
  struct Match {
    const Route* route;  // valid as long as the router
    PathParameters parameters;
  };
  struct WrongMethod {
    std::string allow;  // for the Allow header: "GET, HEAD, PUT"
  };
  struct NoRoute {};
  using Found = std::variant<Match, WrongMethod, NoRoute>;

  explicit HttpRouter(std::vector<Route> routes) : routes_(std::move(routes)) {}

  // A path that cannot be decoded (a stray '%', an encoded NUL but in a record's key) matches
  // nothing.
  [[nodiscard]] Found Find(std::string_view method, std::string_view path) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace switchback
