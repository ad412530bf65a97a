// The RESP door: clients of Redis talk to DbService through it.
//
//   RespServer server(service, {.port = 6380});
//   SB_RETURN_IF_ERROR(server.Start());
//   ...
//   server.Stop(std::chrono::seconds(5));
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "server/access/login_limiter.hpp"
#include "server/access/token_registry.hpp"
#include "server/resp/limits.hpp"
#include "server/resp/server_stats.hpp"
#include "server/tls/tls_context.hpp"
#include "service/db_service.hpp"

namespace switchback {

struct RespServerOptions {
  std::string bind_address = "127.0.0.1";
  std::uint16_t port = 6380;  // 0 = any free one
  unsigned threads = 0;       // 0 = one per core
  std::string password;       // "" = none; then only loopback peers are served, unless by token
  // Named users besides. Both outlive the server; null: there are none.
  const TokenRegistry* tokens = nullptr;
  LoginLimiter* logins = nullptr;
  // Of the port; outlives the server. Null: the port is plain. A Unix socket is plain always.
  const TlsContext* tls = nullptr;
  std::string unix_socket;  // listen there as well; "" = no
  mode_t unix_socket_mode = 0600;
  std::size_t clients_max = kClientCountMaxDefault;
  std::size_t output_bytes_max = kOutputBytesMaxDefault;  // waiting for one client
  std::chrono::milliseconds output_stall_max{kOutputStallMax};
  std::size_t value_bytes_max = kValueBytesMaxDefault;
  std::map<unsigned, std::string> numbered_collections;  // SELECT n, beside or over the defaults
  const Clock* clock = &SystemClock();
};

class IoThread;
class RespListener;
struct ServerCore;

// Start and Stop from one thread; the rest from any.
class RespServer {
 public:
  // `service` outlives this and is not closed before Stop.
  RespServer(DbService& service, RespServerOptions options);
  ~RespServer();  // Stop without waiting for clients
  RespServer(const RespServer&) = delete;
  RespServer& operator=(const RespServer&) = delete;

  // Listens and serves. Errors: kInvalidArgument (address, a collection's name), kConflict (port in
  // use), kIo. Nothing runs after an error.
  Status Start();

  // The port chosen. After Start.
  [[nodiscard]] std::uint16_t port() const;

  // Stops accepting, answers what has arrived, closes each connection once its replies are sent,
  // and joins the threads. Connections that are not done after `drain_max` are cut off. Idempotent.
  void Stop(std::chrono::milliseconds drain_max);

  [[nodiscard]] RespServerStats Stats() const;

  // Looks for stalled clients now instead of at the next second; for tests with a clock of their
  // own.
  void CheckStalled();

 private:
  Status Configure();

  const RespServerOptions options_;
  DbService& service_;
  std::shared_ptr<ServerCore> core_;
  std::vector<std::shared_ptr<IoThread>> threads_;
  std::unique_ptr<RespListener> listener_;
  bool is_running_ = false;
};

}  // namespace switchback
