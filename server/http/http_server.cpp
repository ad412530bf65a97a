#include "server/http/http_server.hpp"

#include <future>
#include <thread>
#include <vector>

#include "common/check.hpp"
#include "common/log.hpp"
#include "server/http/http_session.hpp"
#include "server/unix_socket.hpp"

namespace switchback {
namespace {

// More than the requests that are likely to wait at the same time, so that a rollback by
// PUT /v1/flags never queues behind a drain.
constexpr std::size_t kWorkerCount = 8;
// Writes of records that wait for the log at the same time become one batch of it.
constexpr std::size_t kRecordWorkerCount = 8;
// How long to leave accepting alone after it failed, for want of file descriptors as a rule.
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpDispatch dispatch, HttpServerOptions options) {
    shared_.dispatch = std::move(dispatch);
    shared_.options = std::move(options);
    shared_.workers = &workers_;
    shared_.record_workers = &record_workers_;
  }

  Status Start();
  void Stop(std::chrono::milliseconds drain_max);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] DoorCounters counters() const;

 private:
  using UnixAcceptor = net::local::stream_protocol::acceptor;

  Status Listen();
  void Accept();
  void AcceptUnix();
  // Whether to accept the next one at once; else `again` is called later.
  bool OnAccept(NetError error, StreamSocket socket, TlsHandle tls, net::steady_timer& pause,
                void (Impl::*again)());
  void BeginStop();

  HttpSessionShared shared_;
  net::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  net::steady_timer accept_pause_{io_};
  UnixAcceptor unix_acceptor_{io_};
  net::steady_timer unix_accept_pause_{io_};
  net::thread_pool workers_{kWorkerCount};
  net::thread_pool record_workers_{kRecordWorkerCount};
  std::vector<std::weak_ptr<HttpSession>> sessions_;  // the io thread's own
  std::thread thread_;
  std::future<void> finished_;  // ready when the io thread has ended
  std::uint16_t port_ = 0;
};

Status HttpServer::Impl::Listen() {
  const std::string place = "listen for HTTP on " + shared_.options.bind_address + ":" +
                            std::to_string(shared_.options.port);
  NetError error;
  const auto address = net::ip::make_address(shared_.options.bind_address, error);
  if (error) return Fail(ErrorCode::kInvalidArgument, place + ": not an IP address");
  const tcp::endpoint endpoint(address, shared_.options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (error == net::error::address_in_use) return Fail(ErrorCode::kConflict, place + ": in use");
  if (error) return Fail(ErrorCode::kIo, place + ": " + error.message());
  port_ = acceptor_.local_endpoint(error).port();
  if (shared_.options.unix_socket.empty()) return {};
  auto socket = ListenOnUnixSocket(shared_.options.unix_socket, shared_.options.unix_socket_mode);
  if (!socket) return Fail(socket.error());
  unix_acceptor_.assign(net::local::stream_protocol(), *socket, error);
  return error ? Status(Fail(ErrorCode::kIo, place + ": " + error.message())) : Status{};
}

Status HttpServer::Impl::Start() {
  SB_CHECK(!thread_.joinable(), "an HTTP server is started once");
  SB_RETURN_IF_ERROR(Listen());
  Accept();
  AcceptUnix();
  std::promise<void> finished;
  finished_ = finished.get_future();
  thread_ = std::thread([this, promise = std::move(finished)]() mutable {
    io_.run();
    promise.set_value();
  });
  return {};
}

void HttpServer::Impl::Accept() {
  if (!acceptor_.is_open()) return;
  acceptor_.async_accept([this](NetError error, tcp::socket socket) {
    TlsHandle tls = shared_.options.tls == nullptr ? nullptr : shared_.options.tls->Current();
    if (OnAccept(error, StreamSocket(std::move(socket)), std::move(tls), accept_pause_,
                 &Impl::Accept))
      Accept();
  });
}

void HttpServer::Impl::AcceptUnix() {
  if (!unix_acceptor_.is_open()) return;
  unix_acceptor_.async_accept([this](NetError error, net::local::stream_protocol::socket socket) {
    if (OnAccept(error, StreamSocket(std::move(socket)), nullptr, unix_accept_pause_,
                 &Impl::AcceptUnix))
      AcceptUnix();
  });
}

bool HttpServer::Impl::OnAccept(NetError error, StreamSocket socket, TlsHandle tls,
                                net::steady_timer& pause, void (Impl::*again)()) {
  if (shared_.is_stopping || error == net::error::operation_aborted) return false;
  if (error) {
    LogWarning("accept an HTTP connection: {}; trying again soon", error.message());
    pause.expires_after(kAcceptPause);
    pause.async_wait([this, again](NetError cancelled) {
      if (!cancelled) (this->*again)();
    });
    return false;
  }
  if (shared_.connections >= shared_.options.connections_max) {
    ++shared_.rejected;
    NetError ignored;
    socket.non_blocking(true, ignored);
    if (tls == nullptr)
      socket.write_some(net::buffer(kTooManyConnections.data(), kTooManyConnections.size()),
                        ignored);
    return true;
  }
  std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
  auto session = std::make_shared<HttpSession>(std::move(socket), std::move(tls), shared_);
  sessions_.push_back(session);
  session->Start();
  return true;
}

void HttpServer::Impl::BeginStop() {
  shared_.is_stopping = true;
  NetError ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  unix_acceptor_.close(ignored);
  unix_accept_pause_.cancel();
  if (!shared_.options.unix_socket.empty()) RemoveUnixSocket(shared_.options.unix_socket);
  for (const auto& weak : sessions_) {
    if (const auto session = weak.lock()) session->Stop();
  }
}

void HttpServer::Impl::Stop(std::chrono::milliseconds drain_max) {
  if (!thread_.joinable()) return;
  net::post(io_, [this] { BeginStop(); });
  if (finished_.wait_for(drain_max) != std::future_status::ready) io_.stop();
  thread_.join();
  // Handlers use objects that the caller is about to destroy: none may outlive this call.
  workers_.join();
  record_workers_.join();
}

DoorCounters HttpServer::Impl::counters() const {
  DoorCounters counters;
  counters.connections = shared_.connections;
  counters.connections_total = shared_.connections_total;
  counters.rejected = shared_.rejected;
  counters.requests = shared_.requests;
  counters.bytes_in = shared_.bytes_in;
  counters.bytes_out = shared_.bytes_out;
  counters.slow_clients_closed = shared_.slow_clients_closed;
  counters.protocol_errors = shared_.protocol_errors;
  return counters;
}

HttpServer::HttpServer(HttpDispatch dispatch, HttpServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(dispatch), std::move(options))) {}
HttpServer::~HttpServer() {
  Stop(std::chrono::milliseconds(0));
}
Status HttpServer::Start() {
  return impl_->Start();
}
std::uint16_t HttpServer::port() const {
  return impl_->port();
}
void HttpServer::Stop(std::chrono::milliseconds drain_max) {
  impl_->Stop(drain_max);
}
DoorCounters HttpServer::counters() const {
  return impl_->counters();
}

}  // namespace switchback
