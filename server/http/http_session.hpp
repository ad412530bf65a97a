// One HTTP connection: read, dispatch, write, and again. Include only in server/http/*.cpp (Beast).
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "server/http/door_stream.hpp"
#include "server/http/http_server.hpp"
#include "server/net.hpp"

namespace switchback {

class StreamWriter;

// What the sessions of one server share. Counters may be read from any thread.
struct HttpSessionShared {
  HttpDispatch dispatch;
  HttpServerOptions options;
  net::thread_pool* workers = nullptr;
  net::thread_pool* record_workers = nullptr;
  bool is_stopping = false;  // the io thread's own
  std::atomic<std::uint64_t> connections{0}, connections_total{0}, rejected{0}, requests{0};
  std::atomic<std::size_t> large_body_bytes{0};  // under way
  std::atomic<std::uint64_t> bytes_in{0}, bytes_out{0}, slow_clients_closed{0}, protocol_errors{0};
};

// Lives on the io thread, kept alive by its pending operation.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // `shared` outlives every session. `tls` null: without it.
  HttpSession(StreamSocket socket, TlsHandle tls, HttpSessionShared& shared);
  ~HttpSession();

  // The handshake, if there is one, then the first request.
  void Start();
  // Closes the connection now if no request is being answered, else after the answer.
  void Stop();

 private:
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void Read();
  // Without the body.
  [[nodiscard]] HttpRequest ToRequest() const;
  void OnReadHeader(NetError error, std::size_t size);
  // Whether the body may come; else the answer is under way.
  bool AdmitBody();
  bool ReserveBody(std::size_t bytes_max);
  void ReleaseBody();
  // Lets a client that has asked for leave send its body, then reads it.
  void ReadBody();
  void OnRead(NetError error, std::size_t size);
  void AnswerReadError(NetError error);
  void Dispatch();
  void Write(HttpResponse answer, bool is_last);
  void OnWrite(NetError error, std::size_t size);
  // For an answer whose body goes on.
  void WriteHeader(std::shared_ptr<BodyStream> body);
  void OnHeader(NetError error, std::size_t size, const std::shared_ptr<BodyStream>& body);
  void CloseGently();
  void ShutDown();
  void Discard();

  HttpSessionShared& shared_;
  DoorStream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Response response_;
  std::optional<boost::beast::http::response<boost::beast::http::empty_body>> continue_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>> header_;
  std::weak_ptr<StreamWriter> streaming_;
  std::size_t discarded_bytes_ = 0;
  HttpAdmission admission_;
  std::string peer_;
  std::size_t reserved_bytes_ = 0;  // of shared_.large_body_bytes
  bool is_answering_ = false;
  bool is_last_ = false;
  bool is_head_ = false;
};

}  // namespace switchback
