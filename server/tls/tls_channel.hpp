// TLS over a socket that does not block, as reads and writes of what is possible now: for a session
// that waits for its socket by itself. Nothing of it is in the way of a connection without TLS.
#pragma once

#include <cstddef>
#include <memory>

#include "server/net.hpp"
#include "server/tls/tls_context.hpp"

struct ssl_st;

namespace switchback {

// The server's end. Belongs to one thread; the socket outlives it. The handshake is a part of the
// first reads.
class TlsChannel {
 public:
  // `socket` is a descriptor that does not block.
  TlsChannel(TlsHandle context, int socket);

  // As read_some and write_some of a socket: would_block, eof, or another error; 0 with each.
  std::size_t Read(char* to, std::size_t size, NetError& error);
  std::size_t Write(const char* from, std::size_t size, NetError& error);
  // Bytes are here already for which the socket will not become readable.
  [[nodiscard]] bool has_pending() const;
  // Tells the client that nothing more comes, if the socket takes it now.
  void SayGoodbye();

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };
  [[nodiscard]] NetError ErrorOf(int result) const;

  const TlsHandle context_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bool is_broken_ = false;  // OpenSSL wants no more calls, not even a goodbye
};

}  // namespace switchback
