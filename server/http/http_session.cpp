#include "server/http/http_session.hpp"

#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <limits>

#include "server/http/body_stream.hpp"
#include "server/http/problem.hpp"
#include "server/http/stream_writer.hpp"
#include "server/peer.hpp"
#include "server/version.hpp"

namespace switchback {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

// A client that is still sending while it is told that its request is too large gets this much
// patience; closing at once would make the kernel drop the answer with a reset.
constexpr std::chrono::seconds kDiscardTimeMax{2};
constexpr std::size_t kDiscardBytesMax = 8u << 20;

std::string LowerCase(beast::string_view text) {
  std::string lower(text.data(), text.size());
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

}  // namespace

HttpSession::HttpSession(StreamSocket socket, TlsHandle tls, HttpSessionShared& shared)
    : shared_(shared),
      stream_(std::move(socket), std::move(tls)),
      peer_(PeerHost(stream_.socket().native_handle())) {
  ++shared_.connections;
  ++shared_.connections_total;
  NetError ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);  // not there on a Unix socket
}

HttpSession::~HttpSession() {
  ReleaseBody();
  --shared_.connections;
}

HttpRequest HttpSession::ToRequest() const {
  const auto& message = parser_->get();
  HttpRequest request;
  request.peer = peer_;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const auto question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  for (const auto& field : message) {
    std::string& value = request.headers[LowerCase(field.name_string())];
    if (!value.empty()) value += ", ";
    value.append(field.value().data(), field.value().size());
  }
  return request;
}

void HttpSession::Start() {
  DoorStream::Tls* const tls = stream_.tls();
  if (tls == nullptr) {
    Read();
    return;
  }
  stream_.expires_after(shared_.options.timeout);
  tls->async_handshake(net::ssl::stream_base::server, [self = shared_from_this()](NetError error) {
    if (!error) self->Read();
  });
}

void HttpSession::Read() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_.options.header_bytes_max));
  // AdmitBody sets it, when it is known who asks for what. (Beast 1.74 takes boost::none for 0.)
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
  // One deadline for the whole request: a client that sends a byte now and then meets it too.
  stream_.expires_after(shared_.options.timeout);
  http::async_read_header(
      stream_, buffer_, *parser_,
      beast::bind_front_handler(&HttpSession::OnReadHeader, shared_from_this()));
}

void HttpSession::OnReadHeader(NetError error, std::size_t size) {
  if (error) {
    OnRead(error, size);
    return;
  }
  shared_.bytes_in += size;
  admission_ = {};
  if (shared_.dispatch.admit) admission_ = shared_.dispatch.admit(ToRequest());
  if (AdmitBody()) ReadBody();
}

bool HttpSession::AdmitBody() {
  const std::size_t usual = shared_.options.body_bytes_max;
  const std::size_t bytes_max = std::max(admission_.body_bytes_max, usual);
  const auto length = parser_->content_length();
  const bool is_chunked = parser_->chunked();
  parser_->body_limit(bytes_max);
  if (length && *length > bytes_max) {
    AnswerReadError(make_error_code(http::error::body_limit));
    return false;
  }
  if (bytes_max == usual || (!is_chunked && (!length || *length <= usual))) return true;
  if (auto refusal = admission_.refuse ? admission_.refuse() : std::nullopt) {
    Write(*std::move(refusal), true);
    return false;
  }
  if (!ReserveBody(length ? static_cast<std::size_t>(*length) : bytes_max)) {
    auto busy = ProblemResponse(503, "busy", "too many large bodies are under way");
    busy.headers.emplace_back("Retry-After", "1");
    Write(std::move(busy), true);
    return false;
  }
  stream_.expires_after(shared_.options.large_body_timeout);
  return true;
}

bool HttpSession::ReserveBody(std::size_t bytes) {
  if (shared_.large_body_bytes.fetch_add(bytes) + bytes > shared_.options.large_bodies_bytes_max) {
    shared_.large_body_bytes -= bytes;
    return false;
  }
  reserved_bytes_ = bytes;
  return true;
}

void HttpSession::ReleaseBody() {
  shared_.large_body_bytes -= std::exchange(reserved_bytes_, 0);
}

void HttpSession::ReadBody() {
  const auto read = [this] {
    http::async_read(stream_, buffer_, *parser_,
                     beast::bind_front_handler(&HttpSession::OnRead, shared_from_this()));
  };
  const bool is_asking = LowerCase(parser_->get()[http::field::expect]) == "100-continue";
  if (!is_asking || parser_->is_done()) return read();
  continue_.emplace(http::status::continue_, 11);
  http::async_write(stream_, *continue_,
                    [self = shared_from_this(), read](NetError error, std::size_t size) {
                      self->shared_.bytes_out += size;
                      if (!error) read();
                    });
}

void HttpSession::OnRead(NetError error, std::size_t size) {
  shared_.bytes_in += size;
  if (error) {
    AnswerReadError(error);
    return;
  }
  ++shared_.requests;
  Dispatch();
}

void HttpSession::AnswerReadError(NetError error) {
  if (error == beast::error::timeout && (parser_->got_some() || buffer_.size() > 0))
    ++shared_.slow_clients_closed;
  // Everything but a malformed request (a timeout, the end of the stream) ends without an answer.
  const bool is_malformed = error.category() == make_error_code(http::error::bad_target).category();
  if (!is_malformed || error == http::error::end_of_stream ||
      error == http::error::partial_message) {
    CloseGently();
    return;
  }
  ++shared_.protocol_errors;
  if (error == http::error::header_limit) {
    Write(ProblemResponse(431, "header-too-large", "the header is too large"), true);
  } else if (error == http::error::body_limit) {
    Write(ProblemResponse(413, "body-too-large", "the body is too large"), true);
  } else {
    Write(ProblemResponse(400, "malformed-request", error.message()), true);
  }
}

void HttpSession::Dispatch() {
  is_answering_ = true;
  is_head_ = parser_->get().method() == http::verb::head;
  is_last_ = !parser_->get().keep_alive();
  stream_.expires_never();
  auto request = std::make_shared<HttpRequest>(ToRequest());
  request->body = std::move(parser_->get().body());
  if (!shared_.dispatch.may_block(*request)) {
    Write(shared_.dispatch.handle(*request), is_last_);
    return;
  }
  // The guard keeps the io thread running until the answer has come back to it.
  auto guard = net::make_work_guard(stream_.get_executor());
  auto& workers = admission_.is_record ? *shared_.record_workers : *shared_.workers;
  net::post(workers, [self = shared_from_this(), request, guard] {
    auto answer = std::make_shared<HttpResponse>(self->shared_.dispatch.handle(*request));
    net::post(guard.get_executor(),
              [self, answer] { self->Write(std::move(*answer), self->is_last_); });
  });
}

void HttpSession::Write(HttpResponse answer, bool is_last) {
  is_answering_ = true;
  is_last_ = is_last || shared_.is_stopping;
  response_ = Response();
  response_.result(answer.status);
  response_.reason(std::string(HttpReason(answer.status)));
  response_.set(http::field::server, "switchback/" + std::string(kVersion));
  if (!answer.content_type.empty()) response_.set(http::field::content_type, answer.content_type);
  response_.set(http::field::cache_control, "no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  for (const auto& header : answer.headers) response_.set(header.first, header.second);
  if (answer.stream != nullptr) {
    WriteHeader(answer.stream);
    return;
  }
  response_.keep_alive(!is_last_);
  // An answer without content has no length either (RFC 9110, 8.6).
  if (answer.status != 204 && answer.status != 304) response_.content_length(answer.body.size());
  if (!is_head_) response_.body() = std::move(answer.body);
  stream_.expires_after(shared_.options.timeout);
  http::async_write(stream_, response_,
                    beast::bind_front_handler(&HttpSession::OnWrite, shared_from_this()));
}

void HttpSession::OnWrite(NetError error, std::size_t size) {
  shared_.bytes_out += size;
  is_answering_ = false;
  is_head_ = false;
  ReleaseBody();
  if (error == beast::error::timeout) ++shared_.slow_clients_closed;
  if (error) return;  // the last owner is this call: the socket closes with it
  if (is_last_ || shared_.is_stopping) {
    CloseGently();
    return;
  }
  Read();
}

// Without a length the body goes on until the connection is closed, in HTTP/1.0 and 1.1 alike.
void HttpSession::WriteHeader(std::shared_ptr<BodyStream> body) {
  response_.keep_alive(false);
  header_.emplace(response_);
  stream_.expires_after(shared_.options.timeout);
  http::async_write_header(
      stream_, *header_,
      [self = shared_from_this(), body = std::move(body)](NetError error, std::size_t size) {
        self->OnHeader(error, size, body);
      });
}

void HttpSession::OnHeader(NetError error, std::size_t size,
                           const std::shared_ptr<BodyStream>& body) {
  shared_.bytes_out += size;
  if (error) return;
  if (is_head_ || shared_.is_stopping) {
    is_answering_ = false;
    CloseGently();
    return;
  }
  const auto writer = std::make_shared<StreamWriter>(shared_from_this(), stream_, shared_, body);
  streaming_ = writer;
  writer->Start();
}

// Under TLS the client is told first that the answer ends here and was not cut off.
void HttpSession::CloseGently() {
  DoorStream::Tls* const tls = stream_.tls();
  if (tls == nullptr) {
    ShutDown();
    return;
  }
  stream_.expires_after(kDiscardTimeMax);
  tls->async_shutdown([self = shared_from_this()](NetError) { self->ShutDown(); });
}

void HttpSession::ShutDown() {
  NetError ignored;
  stream_.socket().shutdown(StreamSocket::shutdown_send, ignored);
  if (ignored || shared_.is_stopping) return;
  stream_.expires_after(kDiscardTimeMax);
  Discard();
}

void HttpSession::Discard() {
  buffer_.clear();
  stream_.plain().async_read_some(buffer_.prepare(65536),
                                  [self = shared_from_this()](NetError error, std::size_t size) {
                                    self->discarded_bytes_ += size;
                                    if (!error && self->discarded_bytes_ < kDiscardBytesMax)
                                      self->Discard();
                                  });
}

void HttpSession::Stop() {
  if (const auto writer = streaming_.lock()) {
    writer->Stop();
    return;
  }
  if (!is_answering_) stream_.close();
}

}  // namespace switchback
