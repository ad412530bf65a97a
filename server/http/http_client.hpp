// A small blocking HTTP client for the commands that talk to a running server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "server/tls/tls_client.hpp"

namespace switchback {

// A stream of events that is silent for so long is dead: three heartbeats of the server.
inline constexpr std::chrono::milliseconds kStreamSilenceMax{45'000};
inline constexpr std::size_t kHttpAnswerBytesMax = 64u << 20;

struct HttpUrl {
  std::string host;
  std::uint16_t port = 80;
  std::string prefix;  // path before the API's own, without a '/' at its end; "" as a rule
  bool is_tls = false;
  std::string unix_socket = {};  // connect to this path instead of the host; "" = no

  // As people write it.
  [[nodiscard]] std::string Text() const;
};

// `http://host[:port][/prefix]`, `https://...`, `unix:/path/of/a/socket`; IPv6 addresses in
// brackets. Error: kInvalidArgument.
Result<HttpUrl> ParseHttpUrl(std::string_view url);

// What is sent besides method and path.
struct HttpContent {
  std::string_view body = {};
  std::string_view type = "application/json";
  std::string_view if_none_match = {};  // the header of that name; "" = none
  std::string_view accept = {};         // the same
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

// Stateless but for its settings: one connection a request. Thread-safe.
class HttpClient {
 public:
  // `token` goes out as a bearer token; "" = none.
  HttpClient(HttpUrl url, std::string token, TlsClientOptions tls = {})
      : url_(std::move(url)), token_(std::move(token)), tls_(std::move(tls)) {}

  // Blocks up to `timeout` for each of connecting and getting the whole answer. `path` begins with
  // '/'. A body is sent as JSON. An error status is an answer, not an Error. Errors: kUnavailable
  // (nobody listens, name unknown, time is up, the connection broke), kTooLarge.
  Result<HttpAnswer> Send(std::string_view method, std::string_view path, std::string_view body,
                          std::chrono::milliseconds timeout = std::chrono::seconds(30)) const {
    return Send(method, path, HttpContent{body}, timeout);
  }
  // The same, with a body of any type.
  Result<HttpAnswer> Send(std::string_view method, std::string_view path,
                          const HttpContent& content, std::chrono::milliseconds timeout) const;

  // Gets a body that goes on: gives each piece to `on_bytes`, until the server ends it or
  // `is_over`, asked several times a second, says so. The body of an error status is in the answer
  // as with Send. `last_event_id` goes out as Last-Event-ID; "" = none. Error: kUnavailable (nobody
  // listens, the connection broke, silence for kStreamSilenceMax).
  Result<HttpAnswer> Follow(std::string_view path, const std::string& last_event_id,
                            const std::function<void(std::string_view)>& on_bytes,
                            const std::function<bool()>& is_over) const;

 private:
  // kUnavailable, with what was being done.
  [[nodiscard]] Error Unavailable(const std::string& doing, const std::string& cause) const;

  HttpUrl url_;
  std::string token_;
  TlsClientOptions tls_;
};

}  // namespace switchback
