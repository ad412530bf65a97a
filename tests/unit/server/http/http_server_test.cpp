// Server and client over real sockets on loopback, with handlers made for the test.
#include "server/http/http_server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <future>
#include <latch>
#include <thread>

#include "common/file.hpp"
#include "common/sync.hpp"
#include "server/http/body_stream.hpp"
#include "server/http/http_client.hpp"

namespace switchback {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

HttpResponse Echo(const HttpRequest& request) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + "?" + request.query + " " + request.body;
  response.headers.emplace_back("X-Seen-Header", std::string(request.Header("x-test")));
  return response;
}

// A client that sends bytes as they are.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};  // so that a wrong server fails the test instead of hanging it
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    is_connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool is_connected() const { return is_connected_; }
  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Reads until the peer closes, or until `end` has come.
  [[nodiscard]] std::string Receive(std::string_view end = "") const {
    std::string received;
    char chunk[4096];
    while (end.empty() || received.find(end) == std::string::npos) {
      const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
      if (got <= 0) break;
      received.append(chunk, static_cast<std::size_t>(got));
    }
    return received;
  }

 private:
  UniqueFd socket_;
  bool is_connected_ = false;
};

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpDispatch dispatch, HttpServerOptions options = {}) {
    server_ = std::make_unique<HttpServer>(std::move(dispatch), std::move(options));
    const Status started = server_->Start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  void StartEcho(HttpServerOptions options = {}) {
    Start({Echo, [](const HttpRequest& request) { return request.path == "/slow"; }},
          std::move(options));
  }
  [[nodiscard]] HttpClient Client() const {
    return HttpClient({"127.0.0.1", server_->port(), ""}, "");
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersRequestsOfTheClient) {
  StartEcho();

  const auto answer = Client().Send("PUT", "/a/b?c=d", "body");

  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->status, 200u);
  EXPECT_EQ(answer->body, "PUT /a/b?c=d body");
}

TEST_F(HttpServerTest, AnswersRequestsThatMayBlockFromAWorker) {
  StartEcho();

  const auto answer = Client().Send("POST", "/slow", "body");

  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "POST /slow? body");
}

TEST_F(HttpServerTest, AnswersOthersWhileARequestWaits) {
  std::latch release(1);
  Start({[&](const HttpRequest& request) {
           if (request.path == "/slow") release.wait();
           return Echo(request);
         },
         [](const HttpRequest& request) { return request.path == "/slow"; }});
  const HttpClient client = Client();
  auto slow = std::async(std::launch::async, [&] { return client.Send("POST", "/slow", ""); });

  const auto quick = client.Send("GET", "/quick", "");

  EXPECT_TRUE(quick.has_value());
  release.count_down();
  EXPECT_TRUE(slow.get().has_value());
}

TEST_F(HttpServerTest, KeepsTheConnectionForPipelinedRequests) {
  StartEcho();
  const RawConnection connection(server_->port());

  connection.Send(
      "GET /1 HTTP/1.1\r\nHost: x\r\nX-Test: seen\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string received = connection.Receive();

  EXPECT_THAT(received, HasSubstr("GET /1? "));
  EXPECT_THAT(received, HasSubstr("X-Seen-Header: seen"));
  EXPECT_THAT(received, EndsWith("GET /2? "));
  EXPECT_EQ(server_->counters().connections_total, 1u);
  EXPECT_EQ(server_->counters().requests, 2u);
}

TEST_F(HttpServerTest, JoinsRepeatedHeadersSoThatNoneIsHidden) {
  StartEcho();
  const RawConnection connection(server_->port());

  connection.Send(
      "GET / HTTP/1.1\r\nHost: x\r\nX-Test: a\r\nX-Test: b\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(connection.Receive(), HasSubstr("X-Seen-Header: a, b"));
}

// A body that goes on as long as the test says.
class TestStream final : public BodyStream {
 public:
  void Open(std::function<void()> wake) override {
    const MutexLock lock(mutex_);
    wake_ = std::move(wake);
  }
  Piece Take() override {
    const MutexLock lock(mutex_);
    return {std::exchange(next_, ""), is_last_};
  }
  std::string Heartbeat() override { return "(beat)"; }
  void Give(const std::string& bytes, bool is_last = false) {
    const MutexLock lock(mutex_);
    next_ += bytes;
    is_last_ = is_last;
    if (wake_) wake_();
  }

 private:
  Mutex mutex_;
  std::function<void()> wake_ SB_GUARDED_BY(mutex_);
  std::string next_ SB_GUARDED_BY(mutex_);
  bool is_last_ SB_GUARDED_BY(mutex_) = false;
};

class HttpStreamTest : public HttpServerTest {
 protected:
  void StartStream(HttpServerOptions options = {}) {
    Start({[this](const HttpRequest&) {
             HttpResponse response;
             response.content_type = "text/event-stream";
             response.stream = stream_;
             return response;
           },
           [](const HttpRequest& request) { return request.path == "/slow"; }},
          std::move(options));
  }

  std::shared_ptr<TestStream> stream_ = std::make_shared<TestStream>();
};

TEST_F(HttpStreamTest, SendsPiecesAsTheyComeUntilTheLast) {
  StartStream();
  const RawConnection connection(server_->port());
  stream_->Give("first,");

  connection.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string begun = connection.Receive("first,");
  stream_->Give("second,");
  const std::string more = connection.Receive("second,");
  stream_->Give("last", true);
  const std::string end = connection.Receive();

  EXPECT_THAT(begun, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(begun, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(begun, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(begun, testing::Not(HasSubstr("Content-Length")));
  EXPECT_EQ(more, "second,");
  EXPECT_EQ(end, "last");
}

TEST_F(HttpStreamTest, SaysSomethingInASilence) {
  HttpServerOptions options;
  options.stream_heartbeat = std::chrono::milliseconds(20);
  StartStream(options);
  const RawConnection connection(server_->port());

  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

  EXPECT_THAT(connection.Receive("(beat)(beat)"), EndsWith("(beat)(beat)"));
}

TEST_F(HttpStreamTest, OutlivesTheTimeThatARequestMayTake) {
  HttpServerOptions options;
  options.timeout = std::chrono::milliseconds(50);
  options.stream_heartbeat = std::chrono::milliseconds(30);
  StartStream(options);
  const RawConnection connection(server_->port());

  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

  EXPECT_THAT(connection.Receive("(beat)(beat)(beat)(beat)"), EndsWith("(beat)"));
}

TEST_F(HttpStreamTest, DropsAClientThatDoesNotRead) {
  HttpServerOptions options;
  options.timeout = std::chrono::milliseconds(100);
  StartStream(options);
  stream_->Give(std::string(32u << 20, 'x'));
  const RawConnection connection(server_->port());

  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");

  while (server_->counters().slow_clients_closed == 0) std::this_thread::yield();
  while (server_->counters().connections > 0) std::this_thread::yield();
}

TEST_F(HttpStreamTest, NoticesThatTheClientHasGone) {
  StartStream();
  {
    const RawConnection connection(server_->port());
    stream_->Give("here");
    connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(connection.Receive("here"), EndsWith("here"));
  }

  while (server_->counters().connections > 0) std::this_thread::yield();
}

TEST_F(HttpStreamTest, AStopEndsItWithoutPatience) {
  StartStream();
  const RawConnection connection(server_->port());
  stream_->Give("here");
  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(connection.Receive("here"), EndsWith("here"));

  server_->Stop(std::chrono::hours(1));

  EXPECT_EQ(connection.Receive(), "");
  stream_->Give("nobody is there any more");
}

TEST_F(HttpStreamTest, HeadHasTheHeaderOnly) {
  StartStream();
  const RawConnection connection(server_->port());
  stream_->Give("body");

  connection.Send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");

  EXPECT_THAT(connection.Receive(), EndsWith("\r\n\r\n"));
}

TEST_F(HttpStreamTest, AClientFollowsItAndStopsWhenItIsOver) {
  StartStream();
  std::string seen;
  stream_->Give("some");

  const auto followed = Client().Follow(
      "/", "id-1", [&](std::string_view bytes) { seen += bytes; }, [&] { return seen == "some"; });

  ASSERT_TRUE(followed.has_value()) << followed.error().message;
  EXPECT_EQ(seen, "some");
}

TEST_F(HttpStreamTest, AClientSeesItsEnd) {
  StartStream();
  std::string seen;
  stream_->Give("all of it", true);

  const auto followed = Client().Follow(
      "/", "", [&](std::string_view bytes) { seen += bytes; }, [] { return false; });

  ASSERT_TRUE(followed.has_value()) << followed.error().message;
  EXPECT_EQ(seen, "all of it");
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  StartEcho();
  const RawConnection connection(server_->port());

  connection.Send("HEAD /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string received = connection.Receive();

  EXPECT_THAT(received, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(received, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, AnswersMalformedRequestsWithAProblemAndCloses) {
  StartEcho();
  for (const char* bytes :
       {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"}) {
    const RawConnection connection(server_->port());
    connection.Send(bytes);
    const std::string received = connection.Receive();
    EXPECT_THAT(received, StartsWith("HTTP/1.1 400 ")) << bytes;
    EXPECT_THAT(received, HasSubstr("application/problem+json")) << bytes;
  }
  EXPECT_EQ(server_->counters().protocol_errors, 4u);
  EXPECT_EQ(server_->counters().requests, 0u);
}

TEST_F(HttpServerTest, RefusesHeadersAndBodiesPastTheLimits) {
  StartEcho();
  const RawConnection header(server_->port());
  const RawConnection body(server_->port());
  const RawConnection chunked(server_->port());

  header.Send("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(20000, 'x') + "\r\n\r\n");
  body.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
  chunked.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n180000\r\n" +
               std::string(0x180000, 'x') + "\r\n0\r\n\r\n");

  EXPECT_THAT(header.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(body.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(chunked.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, RefusesConnectionsPastTheLimitAndRecovers) {
  HttpServerOptions options;
  options.connections_max = 1;
  StartEcho(options);
  {
    const RawConnection first(server_->port());
    first.Send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(first.Receive("GET /1? "), HasSubstr("200 OK"));

    const RawConnection second(server_->port());

    EXPECT_THAT(second.Receive(), StartsWith("HTTP/1.1 503 "));
    first.Send("GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(first.Receive(), HasSubstr("GET /2? "));
  }
  EXPECT_EQ(server_->counters().rejected, 1u);
}

TEST_F(HttpServerTest, ClosesAClientThatTakesTooLong) {
  HttpServerOptions options;
  options.timeout = std::chrono::milliseconds(50);
  StartEcho(options);
  const RawConnection connection(server_->port());

  connection.Send("GET / HTTP/1.1\r\nHost:");

  EXPECT_EQ(connection.Receive(), "");
  server_->Stop(std::chrono::milliseconds(1000));  // the socket closes before it is counted
  EXPECT_EQ(server_->counters().slow_clients_closed, 1u);
}

TEST_F(HttpServerTest, StopAnswersWhatIsInFlightAndClosesIdleConnections) {
  std::latch entered(1);
  std::latch release(1);
  Start({[&](const HttpRequest& request) {
           entered.count_down();
           release.wait();
           return Echo(request);
         },
         [](const HttpRequest&) { return true; }});
  const RawConnection idle(server_->port());
  const RawConnection busy(server_->port());
  busy.Send("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n");
  entered.wait();

  auto stopped =
      std::async(std::launch::async, [&] { server_->Stop(std::chrono::milliseconds(20000)); });

  EXPECT_EQ(idle.Receive(), "");  // closed, though nothing was sent on it
  release.count_down();
  const std::string received = busy.Receive();
  stopped.get();
  EXPECT_THAT(received, HasSubstr("GET /busy? "));
  EXPECT_THAT(received, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, AcceptsNobodyAfterStop) {
  StartEcho();
  const std::uint16_t port = server_->port();

  server_->Stop(std::chrono::milliseconds(1000));
  server_->Stop(std::chrono::milliseconds(1000));

  EXPECT_FALSE(RawConnection(port).is_connected());
}

TEST_F(HttpServerTest, SaysThatAPortIsInUse) {
  StartEcho();
  HttpServerOptions options;
  options.port = server_->port();
  HttpServer second({Echo, [](const HttpRequest&) { return false; }}, options);

  const Status started = second.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
  EXPECT_THAT(started.error().message, HasSubstr(std::to_string(options.port)));
}

TEST_F(HttpServerTest, RefusesAnAddressThatIsNone) {
  HttpServerOptions options;
  options.bind_address = "nowhere";
  HttpServer server({Echo, [](const HttpRequest&) { return false; }}, options);

  const Status started = server.Start();

  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
}

TEST(HttpClient, SaysThatNobodyListens) {
  const HttpClient client({"127.0.0.1", 1, ""}, "");

  const auto answer = client.Send("GET", "/", "");

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("http://127.0.0.1:1"));
}

TEST_F(HttpServerTest, TheClientGivesUpInTime) {
  std::latch release(1);
  Start({[&](const HttpRequest& request) {
           release.wait();
           return Echo(request);
         },
         [](const HttpRequest&) { return true; }});

  const auto answer = Client().Send("GET", "/", "", std::chrono::milliseconds(50));

  release.count_down();
  server_->Stop(std::chrono::milliseconds(1000));  // before the latch goes: a worker may be late
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
}

TEST(ParseHttpUrl, ReadsHostPortAndPrefix) {
  const auto plain = ParseHttpUrl("http://store.example");
  const auto full = ParseHttpUrl("http://127.0.0.1:8080/behind/a/proxy/");
  const auto ipv6 = ParseHttpUrl("http://[::1]:8080");

  ASSERT_TRUE(plain.has_value() && full.has_value() && ipv6.has_value());
  EXPECT_EQ(plain->host, "store.example");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->prefix, "");
  EXPECT_EQ(full->host, "127.0.0.1");
  EXPECT_EQ(full->port, 8080);
  EXPECT_EQ(full->prefix, "/behind/a/proxy");
  EXPECT_EQ(ipv6->host, "::1");
  EXPECT_EQ(ipv6->port, 8080);
}

TEST(ParseHttpUrl, RefusesWhatItCannotReach) {
  for (const char* url :
       {"", "127.0.0.1:8080", "http://", "http://:80", "http://a:", "http://a:0", "http://a:65536",
        "http://a:8x", "http://[::1", "http://[::1]x", "ftp://a"})
    EXPECT_FALSE(ParseHttpUrl(url).has_value()) << url;
  const auto https = ParseHttpUrl("https://store.example");
  ASSERT_TRUE(https.has_value());
  EXPECT_TRUE(https->is_tls);
  EXPECT_EQ(https->port, 443);
  const auto path = ParseHttpUrl("unix:/run/http.sock");
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->unix_socket, "/run/http.sock");
  EXPECT_FALSE(ParseHttpUrl("unix:").has_value());
}

// Bodies of up to 100 bytes at paths that begin with /large, 10 elsewhere.
HttpDispatch LargeDispatch(bool is_refused = false) {
  return {Echo, [](const HttpRequest&) { return false; },
          [is_refused](const HttpRequest& head) {
            HttpAdmission admission;
            if (!head.path.starts_with("/large")) return admission;
            admission.body_bytes_max = 100;
            HttpResponse refusal;
            refusal.status = 401;
            if (is_refused) admission.refuse = [refusal] { return std::optional(refusal); };
            return admission;
          }};
}

HttpServerOptions SmallBodies() {
  HttpServerOptions options;
  options.body_bytes_max = 10;
  options.large_bodies_bytes_max = 150;
  return options;
}

std::string Post(const std::string& path, std::size_t size, const std::string& headers = "") {
  return "POST " + path +
         " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + std::to_string(size) +
         "\r\n" + headers + "\r\n";
}

TEST_F(HttpServerTest, TakesLargeBodiesWhereTheyAreAdmitted) {
  Start(LargeDispatch(), SmallBodies());
  const auto answer = [&](const std::string& path, std::size_t size) {
    const RawConnection connection(server_->port());
    connection.Send(Post(path, size) + std::string(size, 'b'));
    return connection.Receive().substr(9, 3);
  };

  EXPECT_EQ(answer("/large", 100), "200");
  EXPECT_EQ(answer("/large", 101), "413");
  EXPECT_EQ(answer("/small", 10), "200");
  EXPECT_EQ(answer("/small", 11), "413");
  EXPECT_EQ(answer("/large", 100), "200");  // what was reserved before was given back
}

TEST_F(HttpServerTest, TakesLargeBodiesInChunks) {
  Start(LargeDispatch(), SmallBodies());
  const RawConnection connection(server_->port());

  connection.Send(
      "POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n14\r\n" +
      std::string(20, 'b') + "\r\n0\r\n\r\n");

  EXPECT_THAT(connection.Receive(), EndsWith(std::string(20, 'b')));
}

TEST_F(HttpServerTest, RefusesLargeBodiesBeforeTheyCome) {
  Start(LargeDispatch(/*is_refused=*/true), SmallBodies());
  const RawConnection connection(server_->port());

  connection.Send(Post("/large", 50));

  EXPECT_THAT(connection.Receive(), StartsWith("HTTP/1.1 401"));
}

TEST_F(HttpServerTest, BoundsWhatLargeBodiesTakeTogether) {
  Start(LargeDispatch(), SmallBodies());
  const RawConnection first(server_->port());
  first.Send(Post("/large", 100, "Expect: 100-continue\r\n"));
  ASSERT_THAT(first.Receive("\r\n\r\n"), StartsWith("HTTP/1.1 100"));

  const RawConnection second(server_->port());
  second.Send(Post("/large", 100));

  const std::string refused = second.Receive();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("Retry-After: 1"));
  first.Send(std::string(100, 'b'));
  EXPECT_THAT(first.Receive(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AnAnswerWithoutContentHasNoLength) {
  Start({[](const HttpRequest&) {
           HttpResponse response;
           response.status = 204;
           response.content_type.clear();
           return response;
         },
         [](const HttpRequest&) { return false; }});
  const RawConnection connection(server_->port());

  connection.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string first = connection.Receive("\r\n\r\n");
  connection.Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(first, StartsWith("HTTP/1.1 204 No Content"));
  EXPECT_THAT(first, testing::Not(HasSubstr("Content-Length")));
  EXPECT_THAT(connection.Receive(), StartsWith("HTTP/1.1 204"));  // the connection went on
}

}  // namespace
}  // namespace switchback
