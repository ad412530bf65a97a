#include "server/resp/listener.hpp"

#include <algorithm>

#include "common/check.hpp"
#include "common/log.hpp"

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
      backoff_(threads.front()->context()) {}

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

void RespListener::Start() {
  SB_CHECK(port_ != 0, "a listener is opened before it starts");
  net::post(acceptor_.get_executor(), [this] { Accept(); });
}

void RespListener::PostClose() {
  net::post(acceptor_.get_executor(), [this] {
    NetError ignored;
    acceptor_.close(ignored);
    backoff_.cancel();
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

void RespListener::OnAccept(IoThread& thread, NetError error, tcp::socket socket) {
  if (error == net::error::operation_aborted) return;
  if (error && error != net::error::connection_aborted) {
    // Out of descriptors or memory: clients that are connected go on, new ones wait in the backlog.
    core_.gate.CountAcceptFailure();
    if (!is_starved_) LogWarning("resp: cannot accept connections: {}", error.message());
    is_starved_ = true;
    backoff_.expires_after(kAcceptBackoff);
    backoff_.async_wait([this](NetError cancelled) {
      if (!cancelled) Accept();
    });
    return;
  }
  if (!error) {
    if (is_starved_) LogInfo("resp: accepting connections again");
    is_starved_ = false;
    NetError unknown_peer;
    const auto peer = socket.remote_endpoint(unknown_peer).address();
    if (is_protected_ && !unknown_peer && !peer.is_loopback()) {
      core_.gate.CountRejected();
      TurnAway(std::move(socket), kDenied);
    } else if (!core_.gate.Enter(core_.environment.clients_max)) {
      TurnAway(std::move(socket), kTooManyClients);
    } else {
      thread.AddLoad();
      thread.PostAdopt(std::move(socket));
    }
  }
  Accept();
}

void RespListener::TurnAway(tcp::socket socket, std::string_view text) {
  NetError ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(net::buffer(text.data(), text.size()), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace switchback
