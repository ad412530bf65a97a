#include "server/tls/tls_channel.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <climits>

#include "common/check.hpp"

namespace switchback {
namespace {

int Limited(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

}  // namespace

void TlsChannel::Free::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}

TlsChannel::TlsChannel(TlsHandle context, int socket)
    : context_(std::move(context)), ssl_(SSL_new(context_.get())) {
  SB_CHECK(ssl_ != nullptr && SSL_set_fd(ssl_.get(), socket) == 1, "there is memory for TLS");
  SSL_set_accept_state(ssl_.get());
}

std::size_t TlsChannel::Read(char* to, std::size_t size, NetError& error) {
  ERR_clear_error();
  const int got = SSL_read(ssl_.get(), to, Limited(size));
  error = got > 0 ? NetError() : ErrorOf(got);
  is_broken_ =
      is_broken_ || (error && error != net::error::would_block && error != net::error::eof);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

std::size_t TlsChannel::Write(const char* from, std::size_t size, NetError& error) {
  error = {};
  if (size == 0) return 0;
  ERR_clear_error();
  std::size_t written = 0;
  // One call takes a record at most: as much as the socket takes goes at once.
  while (written < size) {
    const int sent = SSL_write(ssl_.get(), from + written, Limited(size - written));
    if (sent <= 0) {
      error = ErrorOf(sent);
      break;
    }
    written += static_cast<std::size_t>(sent);
  }
  if (written > 0 && error == net::error::would_block) error = {};
  is_broken_ = is_broken_ || (error && error != net::error::would_block);
  return written;
}

bool TlsChannel::has_pending() const {
  return SSL_pending(ssl_.get()) > 0;
}

void TlsChannel::SayGoodbye() {
  if (is_broken_ || SSL_in_init(ssl_.get()) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

NetError TlsChannel::ErrorOf(int result) const {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return net::error::would_block;
    case SSL_ERROR_ZERO_RETURN: return net::error::eof;
    case SSL_ERROR_SYSCALL:
      return errno == 0 ? NetError(net::error::eof)
                        : NetError(errno, boost::system::system_category());
    default: return net::error::connection_reset;  // not TLS, a certificate refused
  }
}

}  // namespace switchback
