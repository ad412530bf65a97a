#include "server/resp/listener.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "common/log.hpp"
#include "server/unix_socket.hpp"

namespace switchback {
namespace {

constexpr int kBacklog = 511;  // Redis's tcp-backlog

constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";
constexpr std::string_view kDenied =
    "-DENIED Switchback is running in protected mode because no password is set. In this mode "
    "connections are only accepted from the loopback interface. Set a password to accept "
    "others.\r\n";

Status FailNet(const NetError& error, const std::string& doing) {
  const bool is_taken = error == net::error::address_in_use;
  return Fail(is_taken ? ErrorCode::kConflict : ErrorCode::kIo, doing + ": " + error.message());
}

}  // namespace

RespListener::RespListener(ServerCore& core, const std::vector<std::shared_ptr<IoThread>>& threads)
    : core_(core),
      threads_(threads),
      acceptor_(threads.front()->context()),
      backoff_(threads.front()->context()),
      unix_acceptor_(threads.front()->context()),
      unix_backoff_(threads.front()->context()) {}

Status RespListener::Open(const std::string& bind_address, std::uint16_t port) {
  NetError error;
  const auto address = net::ip::make_address(bind_address, error);
  if (error) {
    return Fail(ErrorCode::kInvalidArgument,
                "listening on " + bind_address + ": " + error.message());
  }
  const std::string doing = "listening on " + bind_address + ":" + std::to_string(port);
  const tcp::endpoint endpoint(address, port);
  if (acceptor_.open(endpoint.protocol(), error)) return FailNet(error, doing);
  // A restart need not wait for connections of the last run to time out.
  if (acceptor_.set_option(tcp::acceptor::reuse_address(true), error)) return FailNet(error, doing);
  if (acceptor_.bind(endpoint, error)) return FailNet(error, doing);
  if (acceptor_.listen(kBacklog, error)) return FailNet(error, doing);
  const tcp::endpoint chosen = acceptor_.local_endpoint(error);
  if (error) return FailNet(error, doing);
  port_ = chosen.port();
  is_protected_ = !address.is_loopback() && !core_.environment.needs_login();
  return {};
}

Status RespListener::OpenUnix(const std::string& path, mode_t mode) {
  auto socket = ListenOnUnixSocket(path, mode);
  if (!socket) return Fail(socket.error());
  NetError error;
  unix_acceptor_.assign(net::local::stream_protocol(), *socket, error);
  return error ? FailNet(error, "listening on " + path) : Status{};
}

void RespListener::Start() {
  SB_CHECK(port_ != 0, "a listener is opened before it starts");
  net::post(acceptor_.get_executor(), [this] {
    Accept();
    AcceptUnix();
  });
}

void RespListener::PostClose() {
  net::post(acceptor_.get_executor(), [this] {
    NetError ignored;
    acceptor_.close(ignored);
    backoff_.cancel();
    unix_acceptor_.close(ignored);
    unix_backoff_.cancel();
  });
}

IoThread& RespListener::LeastLoaded() {
  return **std::min_element(threads_.begin(), threads_.end(),
                            [](const auto& a, const auto& b) { return a->load() < b->load(); });
}

void RespListener::Accept() {
  if (!acceptor_.is_open()) return;
  IoThread& thread = LeastLoaded();
  acceptor_.async_accept(thread.context(), [this, &thread](NetError error, tcp::socket socket) {
    OnAccept(thread, error, std::move(socket));
  });
}

void RespListener::AcceptUnix() {
  if (!unix_acceptor_.is_open()) return;
  IoThread& thread = LeastLoaded();
  unix_acceptor_.async_accept(
      thread.context(),
      [this, &thread](NetError error, net::local::stream_protocol::socket socket) {
        OnAcceptUnix(thread, error, StreamSocket(std::move(socket)));
      });
}

bool RespListener::HandleAcceptError(NetError error, net::steady_timer& backoff,
                                     void (RespListener::*again)()) {
  if (!error || error == net::error::connection_aborted) {
    if (!error && is_starved_) LogInfo("resp: accepting connections again");
    if (!error) is_starved_ = false;
    return true;
  }
  // Out of descriptors or memory: clients that are connected go on, new ones wait in the backlog.
  core_.gate.CountAcceptFailure();
  if (!is_starved_) LogWarning("resp: cannot accept connections: {}", error.message());
  is_starved_ = true;
  backoff.expires_after(kAcceptBackoff);
  backoff.async_wait([this, again](NetError cancelled) {
    if (!cancelled) (this->*again)();
  });
  return false;
}

void RespListener::Admit(IoThread& thread, StreamSocket socket, TlsHandle tls) {
  if (!core_.gate.Enter(core_.environment.clients_max)) {
    // A client that speaks TLS would not understand it.
    TurnAway(std::move(socket), tls == nullptr ? kTooManyClients : std::string_view());
    return;
  }
  thread.AddLoad();
  thread.PostAdopt(std::move(socket), std::move(tls));
}

void RespListener::OnAccept(IoThread& thread, NetError error, tcp::socket socket) {
  if (error == net::error::operation_aborted) return;
  if (!HandleAcceptError(error, backoff_, &RespListener::Accept)) return;
  if (!error) {
    NetError unknown_peer;
    const auto peer = socket.remote_endpoint(unknown_peer).address();
    if (is_protected_ && !unknown_peer && !peer.is_loopback()) {
      core_.gate.CountRejected();
      TurnAway(StreamSocket(std::move(socket)), kDenied);
    } else {
      Admit(thread, StreamSocket(std::move(socket)),
            core_.tls == nullptr ? nullptr : core_.tls->Current());
    }
  }
  Accept();
}

void RespListener::OnAcceptUnix(IoThread& thread, NetError error, StreamSocket socket) {
  if (error == net::error::operation_aborted) return;
  if (!HandleAcceptError(error, unix_backoff_, &RespListener::AcceptUnix)) return;
  if (!error) Admit(thread, std::move(socket), nullptr);
  AcceptUnix();
}

void RespListener::TurnAway(StreamSocket socket, std::string_view text) {
  NetError ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(net::buffer(text.data(), text.size()), ignored);
  socket.shutdown(StreamSocket::shutdown_send, ignored);
}

}  // namespace switchback
