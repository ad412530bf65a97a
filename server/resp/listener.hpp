// Accepts connections and hands each to the io thread with the fewest.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "server/net.hpp"
#include "server/resp/io_thread.hpp"

namespace switchback {

// Open before the threads start; Start after. Runs on the first thread's loop. Keeps accepting
// through a lack of descriptors: it backs off and tries again.
class RespListener {
 public:
  // `threads` and everything in it outlive this. At least one.
  RespListener(ServerCore& core, const std::vector<std::shared_ptr<IoThread>>& threads);

  // Binds and listens. Port 0 takes a free one. Errors: kInvalidArgument (no such address),
  // kConflict (address in use), kIo.
  Status Open(const std::string& bind_address, std::uint16_t port);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // The same at a Unix socket besides. Errors: those of ListenOnUnixSocket.
  Status OpenUnix(const std::string& path, mode_t mode);

  void Start();
  // Any thread; returns at once. No connection is accepted after the handler that it posts.
  void PostClose();

 private:
  void Accept();
  void AcceptUnix();
  void OnAccept(IoThread& thread, NetError error, tcp::socket socket);
  void OnAcceptUnix(IoThread& thread, NetError error, StreamSocket socket);
  // After an accept that failed: whether to go on at once; else `again` is called later.
  bool HandleAcceptError(NetError error, net::steady_timer& backoff, void (RespListener::*again)());
  void Admit(IoThread& thread, StreamSocket socket, TlsHandle tls);
  // Sends `text` if the socket takes it at once, and closes.
  void TurnAway(StreamSocket socket, std::string_view text);
  IoThread& LeastLoaded();

  ServerCore& core_;
  const std::vector<std::shared_ptr<IoThread>>& threads_;
  tcp::acceptor acceptor_;
  net::steady_timer backoff_;
  net::local::stream_protocol::acceptor unix_acceptor_;
  net::steady_timer unix_backoff_;
  std::uint16_t port_ = 0;
  bool is_protected_ = false;  // reachable from outside without a password
  bool is_starved_ = false;    // the last accept failed for lack of descriptors or memory
};

}  // namespace switchback
