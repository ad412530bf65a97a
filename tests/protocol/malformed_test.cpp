// Malformed requests, one case per edge, with the exact reply of Redis 7.0 (networking.c).
#include <gtest/gtest.h>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

struct Edge {
  const char* name;
  std::string request;
  std::string reply;  // "-ERR Protocol error: " stands in front
};

void PrintTo(const Edge& edge, std::ostream* out) {
  *out << edge.name;
}

class Malformed : public testing::TestWithParam<Edge> {};

TEST_P(Malformed, IsAnsweredAndClosed) {
  RespWorld world;
  RespHarness client(world);

  const std::string reply = client.Send(GetParam().request);

  EXPECT_EQ(reply, "-ERR Protocol error: " + GetParam().reply + "\r\n");
  EXPECT_TRUE(client.is_closing());
  EXPECT_EQ(client.protocol_error_count(), 1);
}

TEST_P(Malformed, IsTheSameOneByteAtATime) {
  RespWorld world;
  RespHarness client(world);
  std::string reply;

  for (const char c : GetParam().request) {
    if (client.is_closing()) break;
    reply += client.Send(std::string(1, c));
  }

  EXPECT_EQ(reply, "-ERR Protocol error: " + GetParam().reply + "\r\n");
}

constexpr const char* kBadCount = "invalid multibulk length";
constexpr const char* kBadLength = "invalid bulk length";

INSTANTIATE_TEST_SUITE_P(
    Counts, Malformed,
    testing::Values(
        Edge{"NotANumber", "*x\r\n", kBadCount}, Edge{"Empty", "*\r\n", kBadCount},
        Edge{"TrailingSpace", "*1 \r\n", kBadCount}, Edge{"PlusSign", "*+1\r\n", kBadCount},
        Edge{"LeadingZero", "*01\r\n", kBadCount}, Edge{"MinusZero", "*-0\r\n", kBadCount},
        Edge{"OneTooMany", "*1048577\r\n", kBadCount},
        Edge{"AboveInt32", "*2147483648\r\n", kBadCount},
        Edge{"AboveUint32", "*4294967297\r\n", kBadCount},
        Edge{"AboveInt64", "*9223372036854775808\r\n", kBadCount},
        Edge{"AboveUint64", "*18446744073709551617\r\n", kBadCount},
        Edge{"EndlessDigits", "*" + std::string(65537, '1'), "too big mbulk count string"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Lengths, Malformed,
    testing::Values(
        Edge{"NoDollar", "*1\r\nx\r\n", "expected '$', got 'x'"},
        Edge{"NestedArray", "*1\r\n*1\r\n", "expected '$', got '*'"},
        Edge{"NotANumber", "*1\r\n$x\r\n", kBadLength}, Edge{"Empty", "*1\r\n$\r\n", kBadLength},
        Edge{"Null", "*1\r\n$-1\r\n", kBadLength}, Edge{"MinusZero", "*1\r\n$-0\r\n", kBadLength},
        Edge{"PlusSign", "*1\r\n$+4\r\n", kBadLength},
        Edge{"LeadingZero", "*1\r\n$04\r\n", kBadLength},
        Edge{"OneByteTooMany", "*1\r\n$536870913\r\n", kBadLength},
        Edge{"AboveInt32", "*1\r\n$2147483648\r\n", kBadLength},
        Edge{"AboveInt64", "*1\r\n$9223372036854775808\r\n", kBadLength},
        Edge{"InSecondArgument", "*2\r\n$3\r\nGET\r\n$-5\r\n", kBadLength},
        Edge{"EndlessDigits", "*1\r\n$" + std::string(65540, '1'), "too big bulk count string"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Inline, Malformed,
    testing::Values(Edge{"OpenDoubleQuote", "SET \"a\r\n", "unbalanced quotes in request"},
                    Edge{"OpenSingleQuote", "SET 'a\r\n", "unbalanced quotes in request"},
                    Edge{"GluedQuotes", "SET \"a\"b\r\n", "unbalanced quotes in request"},
                    Edge{"Endless", std::string(65537, 'a'), "too big inline request"}),
    [](const auto& test) { return test.param.name; });

TEST(MalformedRequest, IsAnsweredBehindTheRequestsBeforeIt) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("SET a 1\r\nGET a\r\nSET a 2\r\n*x\r\nGET a\r\n"),
            "+OK\r\n$1\r\n1\r\n+OK\r\n-ERR Protocol error: invalid multibulk length\r\n");
  EXPECT_TRUE(client.is_closing());
}

TEST(MalformedRequest, WaitsForTheLineToEndBeforeItComplains) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("*1\r\nx$"), "");
  EXPECT_FALSE(client.is_closing());
}

TEST(OddRequest, NothingToDoIsPassedOver) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("*0\r\n*-1\r\n*-5\r\n*-9223372036854775808\r\n\r\n  \r\n\nPING\n"),
            "+PONG\r\n");
}

TEST(OddRequest, TheBytesBehindAnArgumentAreNotLookedAt) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n"), "+PONG\r\n+PONG\r\n");
}

TEST(OddRequest, AnEmptyNameIsUnknown) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("*1\r\n$0\r\n\r\n"),
            "-ERR unknown command '', with args beginning with: \r\n");
}

TEST(CrossProtocol, APostedPageIsHungUpOn) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("POST / HTTP/1.1\r\nHost: 127.0.0.1:6380\r\n\r\nSET a 1\r\n"), "");
  EXPECT_TRUE(client.is_closing());
  EXPECT_TRUE(world.service.RecordsOf("default").empty());
}

TEST(CrossProtocol, AHostHeaderIsHungUpOn) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("GET /\r\nHost: 127.0.0.1:6380\r\n\r\nSET a 1\r\n"), "$-1\r\n");
  EXPECT_TRUE(client.is_closing());
  EXPECT_TRUE(world.service.RecordsOf("default").empty());
}

class Stranger : public testing::Test {
 protected:
  Stranger() { world_.environment.password = "secret"; }

  RespWorld world_;
};

TEST_F(Stranger, MaySendTenArguments) {
  RespHarness client(world_);

  EXPECT_EQ(client.Send("*11\r\n"), "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

TEST_F(Stranger, MaySendSixteenKibibytes) {
  RespHarness client(world_);

  EXPECT_EQ(client.Send("*1\r\n$16385\r\n"),
            "-ERR Protocol error: unauthenticated bulk length\r\n");
}

TEST_F(Stranger, MayUseAllOfThat) {
  RespHarness client(world_);
  std::string request = "*10\r\n$4\r\nAUTH\r\n";
  for (int i = 0; i < 9; ++i) request += "$16384\r\n" + std::string(16384, 'x') + "\r\n";

  EXPECT_EQ(client.Send(request), "-ERR syntax error\r\n");
}

TEST_F(Stranger, MaySendMoreOnceAuthenticated) {
  RespHarness client(world_);

  EXPECT_EQ(client.Line("AUTH secret"), "+OK\r\n");
  EXPECT_EQ(client.Run({"ECHO", std::string(20000, 'x')}), Bulk(std::string(20000, 'x')));

  EXPECT_EQ(client.Line("RESET"), "+RESET\r\n");
  EXPECT_EQ(client.Send("*11\r\n"), "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

TEST(LongRequest, AValuePastTheLimitIsRefusedAndTheConnectionGoesOn) {
  RespWorld world;
  world.environment.value_bytes_max = 100;
  RespHarness client(world);
  const std::string request = EncodeRequest({"SET", "a", "1"}) +
                              EncodeRequest({"SET", "b", std::string(101, 'x')}) +
                              EncodeRequest({"SET", "c", std::string(100, 'x')});

  EXPECT_EQ(client.Send(request),
            "+OK\r\n-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n+OK\r\n");
  EXPECT_EQ(world.service.RecordsOf("default").size(), 2u);
}

TEST(LongRequest, DoomsATransaction) {
  RespWorld world;
  world.environment.value_bytes_max = 100;
  RespHarness client(world);

  client.Send("MULTI\r\nSET a 1\r\n" + EncodeRequest({"SET", "b", std::string(101, 'x')}));

  EXPECT_EQ(client.Line("EXEC"),
            "-EXECABORT Transaction discarded because of previous errors.\r\n");
  EXPECT_TRUE(world.service.RecordsOf("default").empty());
}

}  // namespace
}  // namespace switchback
