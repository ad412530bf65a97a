#include "server/http/http_client.hpp"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "server/http/door_stream.hpp"
#include "server/net.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Request = http::request<http::string_body>;
using Parser = http::response_parser<http::string_body>;
using StreamParser = http::response_parser<http::buffer_body>;

// "127.0.0.1:8080", "[::1]:8080".
std::string Authority(const HttpUrl& url) {
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

Request NewRequest(const HttpUrl& url, const std::string& token, std::string_view method,
                   std::string_view path) {
  Request request;
  request.method_string(beast::string_view(method.data(), method.size()));
  request.target(url.prefix + std::string(path));
  request.set(http::field::host, Authority(url));
  request.set(http::field::user_agent, "switchback/" + std::string(kVersion));
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.keep_alive(false);
  return request;
}

// One exchange with time limits: Asio has them for asynchronous operations only, so each step is
// started and the context run until it is done.
class Exchange {
 public:
  explicit Exchange(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  // Errors: as HttpClient::Send.
  Status Connect(const HttpUrl& url, const TlsClientOptions& tls) {
    auto socket = url.unix_socket.empty() ? ConnectTcp(url) : ConnectUnix(url.unix_socket);
    if (!socket) return Fail(socket.error());
    if (!url.is_tls) {
      stream_.emplace(*std::move(socket), nullptr);
      return {};
    }
    auto context = LoadTlsClient(tls);
    if (!context) return Fail(context.error());
    stream_.emplace(*std::move(socket), *std::move(context));
    return ShakeHands(url.host);
  }

  NetError Write(const Request& request) {
    NetError error;
    stream_->expires_after(timeout_);
    http::async_write(*stream_, request, [&](NetError e, std::size_t) { error = e; });
    Run();
    return error;
  }

  NetError Send(const Request& request, Parser& answer) {
    NetError error = Write(request);
    if (error) return error;
    http::async_read(*stream_, buffer_, answer, [&](NetError e, std::size_t) { error = e; });
    Run();
    return error;
  }

  // The header of an answer whose body goes on.
  NetError ReadHeader(StreamParser& answer) {
    NetError error;
    http::async_read_header(*stream_, buffer_, answer, [&](NetError e, std::size_t) { error = e; });
    Run();
    return error;
  }

  // The whole body of one that does not.
  NetError ReadRest(Parser& answer) {
    NetError error;
    http::async_read(*stream_, buffer_, answer, [&](NetError e, std::size_t) { error = e; });
    Run();
    return error;
  }

  // The next bytes of a body that goes on; empty at its end, or when it is over.
  NetError ReadSome(StreamParser& answer, const std::function<bool()>& is_over,
                    std::string& bytes) {
    bytes.resize(kPieceBytes);
    auto& body = answer.get().body();
    body.data = bytes.data();
    body.size = bytes.size();
    NetError error;
    stream_->expires_after(kStreamSilenceMax);
    http::async_read_some(*stream_, buffer_, answer, [&](NetError e, std::size_t) { error = e; });
    const bool is_cut = !RunUntil(is_over);
    bytes.resize(bytes.size() - body.size);
    if (is_cut || error == http::error::need_buffer) error = {};
    return error;
  }

 private:
  static constexpr std::size_t kPieceBytes = 16u << 10;
  static constexpr std::chrono::milliseconds kLookInterval{100};

  // False when it was cut short.
  bool RunUntil(const std::function<bool()>& is_over) {
    io_.restart();
    while (!io_.stopped()) {
      io_.run_for(kLookInterval);
      if (io_.stopped() || !is_over()) continue;
      stream_->cancel();
      io_.run();
      return false;
    }
    return true;
  }

  void Run() {
    io_.restart();
    io_.run();
  }

  static tl::unexpected<Error> Unreachable(const NetError& error) {
    return Fail(ErrorCode::kUnavailable, error.message());
  }

  template <class Endpoint>
  NetError ConnectTo(DoorStream::Plain& plain, const Endpoint& endpoint) {
    NetError error;
    plain.expires_after(timeout_);
    plain.async_connect(endpoint, [&](NetError e) { error = e; });
    Run();
    return error;
  }

  // The first of the host's addresses that answers.
  Result<StreamSocket> ConnectTcp(const HttpUrl& url) {
    NetError error;
    tcp::resolver resolver(io_);
    const auto endpoints = resolver.resolve(url.host, std::to_string(url.port), error);
    if (error) return Unreachable(error);
    for (const auto& entry : endpoints) {
      DoorStream::Plain plain(io_);
      error = ConnectTo(plain, net::generic::stream_protocol::endpoint(entry.endpoint()));
      if (!error) return plain.release_socket();
    }
    return Unreachable(error);
  }

  Result<StreamSocket> ConnectUnix(const std::string& path) {
    if (path.size() > 107) return Fail(ErrorCode::kInvalidArgument, "the path is too long");
    DoorStream::Plain plain(io_);
    const net::local::stream_protocol::endpoint endpoint(path);
    const NetError error = ConnectTo(plain, net::generic::stream_protocol::endpoint(endpoint));
    return error ? Result<StreamSocket>(Unreachable(error)) : plain.release_socket();
  }

  Status ShakeHands(const std::string& host) {
    DoorStream::Tls& tls = *stream_->tls();
    SB_RETURN_IF_ERROR(ExpectHost(tls.native_handle(), host));
    NetError error;
    stream_->expires_after(timeout_);
    tls.async_handshake(net::ssl::stream_base::client, [&](NetError e) { error = e; });
    Run();
    if (!error) return {};
    const std::string problem = CertificateProblem(tls.native_handle());
    return Fail(ErrorCode::kUnavailable, problem.empty()
                                             ? "TLS: " + error.message()
                                             : "the server's certificate: " + problem +
                                                   " (--cacert FILE names the one to trust)");
  }

  const std::chrono::milliseconds timeout_;
  net::io_context io_{1};
  std::optional<DoorStream> stream_;  // once connected
  beast::flat_buffer buffer_;
};

}  // namespace

std::string HttpUrl::Text() const {
  if (!unix_socket.empty()) return "unix:" + unix_socket;
  return (is_tls ? "https://" : "http://") + Authority(*this);
}

Result<HttpUrl> ParseHttpUrl(std::string_view url) {
  const auto fail = [&] {
    return Fail(
        ErrorCode::kInvalidArgument,
        "URL " + std::string(url) +
            ": must look like http://127.0.0.1:8080, https://... or unix:/run/app/http.sock");
  };
  HttpUrl parsed;
  constexpr std::string_view kUnix = "unix:";
  if (url.starts_with(kUnix)) {
    parsed.unix_socket = url.substr(kUnix.size());
    parsed.host = "localhost";
    if (parsed.unix_socket.empty()) return fail();
    return parsed;
  }
  parsed.is_tls = url.starts_with("https://");
  const std::string_view kScheme = parsed.is_tls ? "https://" : "http://";
  if (!url.starts_with(kScheme)) return fail();
  std::string_view rest = url.substr(kScheme.size());
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    parsed.prefix = rest.substr(slash);
    while (parsed.prefix.ends_with('/')) parsed.prefix.pop_back();
  }
  rest = rest.substr(0, slash);
  std::string_view port;
  const auto bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
  const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (port.empty()) return fail();
  }
  if (bracket != std::string_view::npos) {
    if (rest.size() != bracket + 1) return fail();
    rest = rest.substr(1, bracket - 1);
  }
  unsigned number = port.empty() ? (parsed.is_tls ? 443 : 80) : 0;
  for (const char c : port) {
    if (c < '0' || c > '9' || number > 65535) return fail();
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (rest.empty() || number == 0 || number > 65535) return fail();
  parsed.host = rest;
  parsed.port = static_cast<std::uint16_t>(number);
  return parsed;
}

Result<HttpAnswer> HttpClient::Send(std::string_view method, std::string_view path,
                                    const HttpContent& content,
                                    std::chrono::milliseconds timeout) const {
  Request request = NewRequest(url_, token_, method, path);
  request.set(http::field::content_type, std::string(content.type));
  if (!content.if_none_match.empty())
    request.set(http::field::if_none_match, std::string(content.if_none_match));
  if (!content.accept.empty()) request.set(http::field::accept, std::string(content.accept));
  request.body() = std::string(content.body);
  request.prepare_payload();

  Exchange exchange(timeout);
  if (auto connected = exchange.Connect(url_, tls_); !connected)
    return Fail(WithContext(connected.error(), "connect to " + url_.Text()));
  Parser parser;
  parser.body_limit(kHttpAnswerBytesMax);
  if (const NetError error = exchange.Send(request, parser)) {
    if (error == http::error::body_limit)
      return Fail(ErrorCode::kTooLarge, "the answer of the server is too large");
    return Fail(Unavailable("talk to", error.message()));
  }
  return HttpAnswer{parser.get().result_int(), std::move(parser.get().body())};
}

Result<HttpAnswer> HttpClient::Follow(std::string_view path, const std::string& last_event_id,
                                      const std::function<void(std::string_view)>& on_bytes,
                                      const std::function<bool()>& is_over) const {
  Request request = NewRequest(url_, token_, "GET", path);
  request.set(http::field::accept, "text/event-stream");
  if (!last_event_id.empty()) request.set("Last-Event-ID", last_event_id);
  Exchange exchange(kStreamSilenceMax);
  if (auto connected = exchange.Connect(url_, tls_); !connected)
    return Fail(WithContext(connected.error(), "connect to " + url_.Text()));
  StreamParser parser;
  parser.body_limit(boost::none);
  NetError error = exchange.Write(request);
  if (!error) error = exchange.ReadHeader(parser);
  if (error) return Fail(Unavailable("talk to", error.message()));
  const unsigned status = parser.get().result_int();
  if (status != 200) {
    Parser whole(std::move(parser));
    if (const NetError failed = exchange.ReadRest(whole))
      return Fail(Unavailable("talk to", failed.message()));
    return HttpAnswer{status, std::move(whole.get().body())};
  }
  std::string bytes;
  while (!parser.is_done() && !is_over()) {
    error = exchange.ReadSome(parser, is_over, bytes);
    if (!bytes.empty()) on_bytes(bytes);
    if (error) return Fail(Unavailable("talk to", error.message()));
  }
  return HttpAnswer{status, ""};
}

Error HttpClient::Unavailable(const std::string& doing, const std::string& cause) const {
  return {ErrorCode::kUnavailable, doing + " " + url_.Text() + ": " + cause};
}

}  // namespace switchback
