// A request and a response as values, without sockets: what handlers are written and tested
// against.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchback {

class BodyStream;

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // as sent, up to the '?'
  std::string query;   // as sent, after the '?'
  std::map<std::string, std::string, std::less<>>
      headers;  // names in lower case; repeated ones joined by ", "
  std::string body;
  std::string peer;  // its IP address, without a port; "" = a Unix socket, or unknown

  // The header's value, "" when absent.
  [[nodiscard]] std::string_view Header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // beyond Content-Type and -Length
  // Goes on after the header instead of `body`, until the connection ends; null = there is none.
  std::shared_ptr<BodyStream> stream = nullptr;
};

}  // namespace switchback
