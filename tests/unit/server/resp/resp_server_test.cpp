// The server over real sockets on loopback, in front of the fake service.
#include "server/resp/resp_server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "tests/support/fake_db_service.hpp"
#include "tests/support/resp_harness.hpp"
#include "tests/support/resp_socket.hpp"

namespace switchback {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{30};

class FakeClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime Now() const override { return SteadyTime(seconds(now_.load())); }
  [[nodiscard]] WallTime WallNow() const override { return WallTime(seconds(now_.load())); }
  void Advance(seconds time) { now_ += time.count(); }

 private:
  std::atomic<long> now_{1000};
};

class RespServerTest : public testing::Test {
 protected:
  void Start(RespServerOptions options = {}, FakePipeline pipeline = FakePipeline::kThread) {
    service_ = std::make_unique<FakeDbService>(pipeline);
    options.port = 0;
    if (options.threads == 0) options.threads = 2;
    server_ = std::make_unique<RespServer>(*service_, std::move(options));
    const Status started = server_->Start();
    ASSERT_TRUE(started) << started.error().message;
  }
  RespSocket Connect() { return RespSocket(server_->port()); }

  // Waits until the server's own count of connections says so.
  void WaitForConnections(std::uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (server_->Stats().connections != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  FakeClock clock_;  // only where the options name it
  std::unique_ptr<FakeDbService> service_;
  std::unique_ptr<RespServer> server_;
};

TEST_F(RespServerTest, Serves) {
  Start();
  RespSocket client = Connect();

  EXPECT_EQ(client.Ask("PING"), "+PONG\r\n");
  EXPECT_EQ(client.Ask("SET a 1"), "+OK\r\n");
  EXPECT_EQ(client.Ask("INCR a"), ":2\r\n");
  EXPECT_EQ(client.Ask("GET nope"), "$-1\r\n");
}

TEST_F(RespServerTest, ManyConnectionsPipelineAtOnce) {
  Start();
  constexpr int kClientCount = 20;
  constexpr int kRequestCount = 500;
  std::string expected;
  for (int i = 0; i < kRequestCount; ++i) expected += "+OK\r\n$1\r\nv\r\n";
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int c = 0; c < kClientCount; ++c) {
    threads.emplace_back([&, c] {
      RespSocket client = Connect();
      const std::string key = "k" + std::to_string(c);
      std::string requests;
      for (int i = 0; i < kRequestCount; ++i) {
        requests += EncodeRequest({"SET", key, "v"}) + EncodeRequest({"GET", key});
      }
      client.Send(requests);
      if (client.Read(expected.size()) == expected) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(right.load(), kClientCount);
  EXPECT_EQ(server_->Stats().commands, 2u * kClientCount * kRequestCount);
}

TEST_F(RespServerTest, HugeValuesGoBothWays) {
  Start();
  RespSocket client = Connect();
  const std::string value(20 << 20, 'v');

  std::thread sender([&] { client.Send(EncodeRequest({"SET", "a", value})); });
  EXPECT_EQ(client.ReadLine(), "+OK\r\n");
  sender.join();

  client.Send("GET a\r\nPING\r\n");
  const std::string expected = Bulk(value) + "+PONG\r\n";
  EXPECT_TRUE(client.Read(expected.size()) == expected);
}

TEST_F(RespServerTest, SlowCommandsDoNotHoldUpTheConnectionsOrder) {
  Start();
  RespSocket client = Connect();

  client.Send("SET a 1\r\nDBSIZE\r\nKEYS *\r\nGET a\r\nDEL a\r\nDBSIZE\r\n");

  const std::string expected = "+OK\r\n:1\r\n*1\r\n$1\r\na\r\n$1\r\n1\r\n:1\r\n:0\r\n";
  EXPECT_EQ(client.Read(expected.size()), expected);
}

TEST_F(RespServerTest, AHalfClosedClientGetsItsReplies) {
  Start();
  RespSocket client = Connect();

  client.Send("SET a 1\r\nGET a\r\nINCR a\r\n");
  client.ShutdownWrites();

  EXPECT_EQ(client.ReadAll(), "+OK\r\n$1\r\n1\r\n:2\r\n");
  WaitForConnections(0);
}

TEST_F(RespServerTest, AClientThatVanishesLeavesNothingBehind) {
  Start();
  for (int i = 0; i < 20; ++i) {
    RespSocket client = Connect();
    client.Send("SET a 1\r\nGET a\r\nKEYS *\r\n*2\r\n$3\r\nGET");
    if (i % 2 == 0) {
      client.Reset();
    } else {
      client.Close();
    }
  }
  WaitForConnections(0);

  EXPECT_EQ(Connect().Ask("PING"), "+PONG\r\n");
}

TEST_F(RespServerTest, QuitAndProtocolErrorsCloseTheConnection) {
  Start();
  RespSocket quitter = Connect();
  quitter.Send("QUIT\r\n");
  EXPECT_EQ(quitter.ReadAll(), "+OK\r\n");

  RespSocket wrong = Connect();
  wrong.Send("*x\r\n");
  EXPECT_EQ(wrong.ReadAll(), "-ERR Protocol error: invalid multibulk length\r\n");

  RespSocket browser = Connect();
  browser.Send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(browser.ReadAll(), "");
  WaitForConnections(0);
  EXPECT_EQ(server_->Stats().protocol_errors, 2u);
}

TEST_F(RespServerTest, TooManyClientsAreTurnedAway) {
  RespServerOptions options;
  options.clients_max = 2;
  Start(options);
  RespSocket first = Connect();
  auto second = std::make_unique<RespSocket>(server_->port());
  EXPECT_EQ(first.Ask("PING"), "+PONG\r\n");
  EXPECT_EQ(second->Ask("PING"), "+PONG\r\n");

  EXPECT_EQ(Connect().ReadAll(), "-ERR max number of clients reached\r\n");
  EXPECT_EQ(server_->Stats().rejected, 1u);

  second.reset();
  WaitForConnections(1);
  EXPECT_EQ(Connect().Ask("PING"), "+PONG\r\n");
}

TEST_F(RespServerTest, AClientThatDoesNotReadIsHeldBackAndThenCutOff) {
  RespServerOptions options;
  options.threads = 1;
  options.clock = &clock_;
  Start(options);
  RespSocket greedy(server_->port(), 4096);
  greedy.Send(EncodeRequest({"SET", "a", std::string(1 << 20, 'x')}));
  ASSERT_EQ(greedy.ReadLine(), "+OK\r\n");
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += "GET a\r\n";
  greedy.Send(requests);
  RespSocket other = Connect();
  // The one thread is past the greedy client's requests when it answers this.
  const std::uint64_t before = server_->Stats().commands;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(other.Ask("PING"), "+PONG\r\n");
  EXPECT_LT(server_->Stats().commands, before + 50 + 50) << "it stopped executing for it";

  server_->CheckStalled();
  EXPECT_EQ(other.Ask("PING"), "+PONG\r\n");
  EXPECT_EQ(server_->Stats().slow_clients_closed, 0u);
  clock_.Advance(seconds(11));
  server_->CheckStalled();
  EXPECT_EQ(other.Ask("PING"), "+PONG\r\n");

  WaitForConnections(1);
  EXPECT_EQ(server_->Stats().slow_clients_closed, 1u);
}

TEST_F(RespServerTest, AReplyPastTheOutputCapCutsTheClientOff) {
  RespServerOptions options;
  options.output_bytes_max = 8 << 20;
  Start(options);
  RespSocket client(server_->port(), 4096);
  client.Send(EncodeRequest({"SET", "a", std::string(4 << 20, 'x')}));
  ASSERT_EQ(client.ReadLine(), "+OK\r\n");

  client.Send("MGET a a a a a a\r\n");

  WaitForConnections(0);
  EXPECT_EQ(server_->Stats().slow_clients_closed, 1u);
  EXPECT_EQ(Connect().Ask("PING"), "+PONG\r\n");
}

TEST_F(RespServerTest, AnUnfinishedRequestDoesNotHoldAConnectionForEver) {
  RespServerOptions options;
  options.clock = &clock_;
  Start(options);
  RespSocket slow = Connect();
  ASSERT_EQ(slow.Ask("PING"), "+PONG\r\n");
  RespSocket idle = Connect();
  ASSERT_EQ(idle.Ask("PING"), "+PONG\r\n");
  slow.Send("PING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab");
  ASSERT_EQ(slow.ReadLine(), "+PONG\r\n");

  clock_.Advance(seconds(61));
  server_->CheckStalled();

  EXPECT_EQ(slow.ReadAll(), "");
  EXPECT_EQ(idle.Ask("PING"), "+PONG\r\n") << "idle between requests is fine";
}

TEST_F(RespServerTest, AStrangerDoesNotHoldAConnectionForEver) {
  RespServerOptions options;
  options.clock = &clock_;
  options.password = "secret";
  Start(options);
  RespSocket stranger = Connect();
  ASSERT_EQ(stranger.Ask("PING"), "-NOAUTH Authentication required.\r\n");
  RespSocket member = Connect();
  ASSERT_EQ(member.Ask("AUTH secret"), "+OK\r\n");

  clock_.Advance(seconds(61));
  server_->CheckStalled();

  EXPECT_EQ(stranger.ReadAll(), "");
  EXPECT_EQ(member.Ask("PING"), "+PONG\r\n");
}

TEST_F(RespServerTest, ClientKillClosesAnother) {
  Start();
  RespSocket victim = Connect();
  ASSERT_EQ(victim.Ask("CLIENT ID"), ":1\r\n");
  RespSocket killer = Connect();

  EXPECT_EQ(killer.Ask("CLIENT KILL ID 1"), ":1\r\n");

  EXPECT_EQ(victim.ReadAll(), "");
  EXPECT_EQ(killer.Ask("PING"), "+PONG\r\n");
}

TEST_F(RespServerTest, SnapshotsEndWithTheTurn) {
  Start();
  RespSocket client = Connect();
  client.Ask("SET a 1");
  client.Send("GET a\r\nGET a\r\n");
  client.Read(14);

  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (service_->open_turns() != 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(RespServerTest, StopAnswersWhatHasArrivedAndIsUnderWay) {
  Start({}, FakePipeline::kManual);
  RespSocket writer = Connect();
  RespSocket idle = Connect();
  ASSERT_EQ(idle.Ask("PING"), "+PONG\r\n");
  ASSERT_EQ(writer.Ask("PING"), "+PONG\r\n");
  writer.Send("SET a 1\r\nGET a\r\nPING\r\n");
  while (service_->queued_count() == 0) std::this_thread::yield();

  std::thread stopper([&] { server_->Stop(kPatience); });
  EXPECT_EQ(idle.ReadAll(), "") << "idle connections close at once";
  service_->RunQueued();
  stopper.join();

  EXPECT_EQ(writer.ReadAll(), "+OK\r\n$1\r\n1\r\n+PONG\r\n");
  EXPECT_FALSE(Connect().is_connected());
}

TEST_F(RespServerTest, StopDoesNotWaitLongerThanItIsTold) {
  Start({}, FakePipeline::kManual);
  RespSocket writer = Connect();
  writer.Send("SET a 1\r\n");
  while (service_->queued_count() == 0) std::this_thread::yield();

  server_->Stop(milliseconds(1));

  EXPECT_EQ(writer.ReadAll(), "");
  // The write is still the service's; its end finds nobody.
  EXPECT_EQ(service_->RunQueued(), 1u);
  server_.reset();
  EXPECT_EQ(service_->RecordsOf("default").size(), 1u);
}

TEST_F(RespServerTest, StopWithLateCompletionAfterTheServerIsGone) {
  Start({}, FakePipeline::kManual);
  RespSocket writer = Connect();
  writer.Send("WATCH a\r\nMULTI\r\nSET a 1\r\nEXEC\r\n");
  while (service_->queued_count() == 0) std::this_thread::yield();

  server_.reset();

  EXPECT_EQ(service_->RunQueued(), 1u);
}

TEST_F(RespServerTest, RunsOutOfDescriptorsAndRecovers) {
  Start();
  RespSocket served = Connect();
  ASSERT_EQ(served.Ask("PING"), "+PONG\r\n");
  RespSocket late;  // has its descriptor, the server's side has not
  const int lowest_free = dup(0);
  close(lowest_free);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none_left = before;
  none_left.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);

  late.Connect(server_->port());
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (server_->Stats().accept_failures == 0 && std::chrono::steady_clock::now() < deadline) {
    EXPECT_EQ(served.Ask("PING"), "+PONG\r\n") << "the others are served";
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_EQ(late.Ask("PING"), "+PONG\r\n");
  EXPECT_GT(server_->Stats().accept_failures, 0u);
}

TEST_F(RespServerTest, APortInUseIsAConflict) {
  Start();
  RespServerOptions options;
  options.port = server_->port();
  RespServer second(*service_, options);

  const Status started = second.Start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
}

TEST_F(RespServerTest, ABadAddressIsRefused) {
  FakeDbService service;
  RespServerOptions options;
  options.bind_address = "not-an-address";
  RespServer server(service, options);

  const Status started = server.Start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(RespServerTest, ABadCollectionNameIsRefused) {
  FakeDbService service;
  RespServerOptions options;
  options.port = 0;
  options.numbered_collections[3] = "no/slash";
  RespServer server(service, options);

  const Status started = server.Start();

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(RespServerTest, NumberedCollectionsComeFromTheOptions) {
  RespServerOptions options;
  options.numbered_collections = {{0, "sessions"}, {40, "far"}};
  Start(options);
  RespSocket client = Connect();

  EXPECT_EQ(client.Ask("SET a 1"), "+OK\r\n");
  EXPECT_EQ(client.Ask("SELECT 40"), "+OK\r\n");
  EXPECT_EQ(client.Ask("SET b 1"), "+OK\r\n");

  EXPECT_EQ(service_->RecordsOf("sessions").size(), 1u);
  EXPECT_EQ(service_->RecordsOf("far").size(), 1u);
}

TEST_F(RespServerTest, CountsBytes) {
  Start();
  RespSocket client = Connect();
  ASSERT_EQ(client.Ask("PING"), "+PONG\r\n");
  // The thread counts what it has written after writing it: the next answer is behind that.
  ASSERT_EQ(client.Ask("PING"), "+PONG\r\n");

  const RespServerStats stats = server_->Stats();

  EXPECT_EQ(stats.bytes_in, 12u);
  EXPECT_GE(stats.bytes_out, 7u);
  EXPECT_EQ(stats.connections, 1u);
  EXPECT_EQ(stats.connections_total, 1u);
}

}  // namespace
}  // namespace switchback
