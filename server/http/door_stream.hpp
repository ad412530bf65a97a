// One connection of HTTP, at either end: over TCP or a Unix socket, with TLS or without. One branch
// an operation decides; Beast sees one type. Include only in server/http/*.cpp (Beast).
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <optional>
#include <utility>

#include "server/net.hpp"
#include "server/tls/tls_context.hpp"

namespace switchback {

// Belongs to one io thread. Time limits are those of the stream below, TLS included.
class DoorStream {
 public:
  using Plain = boost::beast::basic_stream<net::generic::stream_protocol>;
  using Tls = net::ssl::stream<Plain&>;
  using executor_type = Plain::executor_type;  // NOLINT(readability-identifier-naming): Asio's name

  // `tls` null: without it.
  DoorStream(StreamSocket socket, TlsHandle tls) : plain_(std::move(socket)) {
    if (tls == nullptr) return;
    SSL_CTX_up_ref(tls.get());  // the context gives one back
    context_.emplace(tls.get());
    tls_.emplace(plain_, *context_);
  }
  DoorStream(const DoorStream&) = delete;
  DoorStream& operator=(const DoorStream&) = delete;

  [[nodiscard]] executor_type get_executor() { return plain_.get_executor(); }
  [[nodiscard]] StreamSocket& socket() { return plain_.socket(); }
  // Below TLS.
  [[nodiscard]] Plain& plain() { return plain_; }
  // Null without TLS.
  [[nodiscard]] Tls* tls() { return tls_ ? &*tls_ : nullptr; }
  template <class Duration>
  void expires_after(Duration duration) {  // NOLINT(readability-identifier-naming)
    plain_.expires_after(duration);
  }
  void expires_never() { plain_.expires_never(); }  // NOLINT(readability-identifier-naming)
  void cancel() { plain_.cancel(); }
  void close() { plain_.close(); }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {  // NOLINT: Asio's name
    if (tls_) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {  // NOLINT: Asio's name
    if (tls_) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

 private:
  Plain plain_;
  std::optional<net::ssl::context> context_;
  std::optional<Tls> tls_;
};

}  // namespace switchback
