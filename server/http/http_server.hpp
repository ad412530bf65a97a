// The sockets of the control plane: HTTP/1.1 with keep-alive over whatever answers requests.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "server/http/message.hpp"
#include "server/http/server_counters.hpp"
#include "server/tls/tls_context.hpp"

namespace switchback {

struct HttpServerOptions {
  std::string bind_address = "127.0.0.1";  // an IP address
  std::uint16_t port = 0;                  // 0 = any free one
  const TlsContext* tls = nullptr;         // of the port; outlives the server. Null: it is plain
  std::string unix_socket;                 // listen there as well, without TLS; "" = no
  mode_t unix_socket_mode = 0600;
  std::size_t connections_max = 256;
  std::size_t header_bytes_max = 16u << 10;
  std::size_t body_bytes_max = 1u << 20;
  // What all bodies above that may take together while they are received and handled.
  std::size_t large_bodies_bytes_max = 256u << 20;
  // For receiving one request, for sending one response, and for an idle connection.
  std::chrono::milliseconds timeout{30'000};
  // For receiving a large body besides.
  std::chrono::milliseconds large_body_timeout{120'000};
  // After so long a silence an answer that goes on (BodyStream) says something.
  std::chrono::milliseconds stream_heartbeat{15'000};
};

// What is decided about a request when only its header has come.
struct HttpAdmission {
  std::size_t body_bytes_max = 0;  // 0 = HttpServerOptions::body_bytes_max
  // Handled by threads of their own, so that no number of these keeps others waiting.
  bool is_record = false;
  // Asked before a large body is read: the answer to send instead, nullopt: it is welcome. Empty:
  // it is.
  std::function<std::optional<HttpResponse>()> refuse = {};
};

// Who answers. All are called from several threads at once.
struct HttpDispatch {
  std::function<HttpResponse(const HttpRequest&)> handle;
  // Requests for which this is true are handled by a worker thread, so that health checks and
  // metrics are answered while others wait for a disk.
  std::function<bool(const HttpRequest&)> may_block;
  // Called with a request without its body; empty: there are no large bodies and no records.
  std::function<HttpAdmission(const HttpRequest&)> admit = {};
};

// One io thread and some workers of its own. Start and Stop belong to the owner, the rest is
// thread-safe.
class HttpServer {
 public:
  HttpServer(HttpDispatch dispatch, HttpServerOptions options);
  ~HttpServer();  // Stop() without patience
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens and returns. Error: kConflict (port in use), kInvalidArgument (address), kIo.
  Status Start();
  // The port in use; valid after Start.
  [[nodiscard]] std::uint16_t port() const;
  // Stops accepting, closes idle connections, sends the answers that are under way for up to
  // `drain_max`, joins. Handlers that have begun are waited for in any case.
  void Stop(std::chrono::milliseconds drain_max);
  [[nodiscard]] DoorCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchback
