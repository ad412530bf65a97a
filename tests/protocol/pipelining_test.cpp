// Pipelines: replies in order, a read sees the write before it, writes are gathered.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

std::string Repeat(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Pipelining, AReadSeesTheWriteBeforeIt) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("SET a 1\r\nGET a\r\nINCR a\r\nINCR a\r\nGET a\r\nDEL a\r\nGET a\r\n"),
            "+OK\r\n$1\r\n1\r\n:2\r\n:3\r\n$1\r\n3\r\n:1\r\n$-1\r\n");
}

TEST(Pipelining, WritesInARowAreOneWrite) {
  RespWorld world;
  RespHarness client(world);

  client.Send(Repeat("INCR a\r\n", 100));
  EXPECT_EQ(world.service.submitted_count(), 1u);

  client.Send("INCR a\r\nGET a\r\nINCR a\r\n");
  EXPECT_EQ(world.service.submitted_count(), 3u);
}

TEST(Pipelining, GatheringIsBounded) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send(Repeat("SET a 1\r\n", 3 * kGatherCommandCountMax)),
            Repeat("+OK\r\n", 3 * kGatherCommandCountMax));
  EXPECT_EQ(world.service.submitted_count(), 3u);

  const std::string value(kGatherBytesMax / 2, 'x');
  const std::string request = EncodeRequest({"SET", "a", value});
  client.Send(request + request + request + request);
  EXPECT_EQ(world.service.submitted_count(), 3u + 2u);
}

TEST(Pipelining, AFailingCommandDoesNotUndoItsNeighbours) {
  RespWorld world;
  RespHarness client(world);

  EXPECT_EQ(client.Send("SET a 1\r\nSET s x\r\nINCR s\r\n" +
                        EncodeRequest({"MSET", "b", "2", "", "3"}) + "SET c 3\r\n"),
            "+OK\r\n+OK\r\n-ERR value is not an integer or out of range\r\n"
            "-ERR key must be 1 to 511 bytes\r\n+OK\r\n");
  EXPECT_EQ(client.Line("MGET a b c"), "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n");
  EXPECT_EQ(client.error_count(), 2u);
}

TEST(Pipelining, ARefusedWriteAnswersEachOfItsCommands) {
  struct Case {
    ErrorCode code;
    const char* reply;
  };
  RespWorld world;
  RespHarness client(world);
  for (const Case& expected :
       {Case{ErrorCode::kBusy, "-BUSY why\r\n"}, Case{ErrorCode::kNoSpace, "-NOSPACE why\r\n"},
        Case{ErrorCode::kIo, "-IOERR why\r\n"},
        Case{ErrorCode::kUnknownOutcome,
             "-UNKNOWN the write may or may not have been stored: why\r\n"},
        Case{ErrorCode::kUnavailable, "-UNAVAILABLE why\r\n"},
        Case{ErrorCode::kCancelled, "-UNAVAILABLE why\r\n"}}) {
    world.service.FailWrites(Error{expected.code, "why"});
    EXPECT_EQ(client.Send("SET a 1\r\nINCR b\r\nGET a\r\nDEL a\r\n"),
              Repeat(expected.reply, 2) + "$-1\r\n" + expected.reply);
  }
  world.service.FailWrites(std::nullopt);
  EXPECT_EQ(client.Line("SET a 1"), "+OK\r\n");
}

TEST(Pipelining, LongRepliesOfGatheredWritesComeInPieces) {
  RespWorld world;
  RespHarness client(world);
  const std::string value(300000, 'x');
  std::string request;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "k" + std::to_string(i);
    client.Run({"SET", key, value});
    request += EncodeRequest({"GETDEL", key});
    expected += Bulk(value);
  }
  const std::size_t before = world.service.submitted_count();

  EXPECT_EQ(client.Send(request), expected);
  EXPECT_GT(world.service.submitted_count(), before + 1);
  EXPECT_TRUE(world.service.RecordsOf("default").empty());
}

TEST(Pipelining, ASuspendedConversationWaitsForItsWrite) {
  RespWorld world(FakePipeline::kManual);
  RespHarness client(world);
  ByteBuffer output;

  const std::string input = "SET a 1\r\nGET a\r\n";
  const auto progress = client.Step(input, output);

  EXPECT_EQ(progress.state, ConversationState::kSuspended);
  EXPECT_EQ(progress.consumed, 9u);
  EXPECT_TRUE(output.empty());

  world.service.RunQueued();
  client.conversation().Resume(output);
  EXPECT_EQ(output.view(), "+OK\r\n");
  EXPECT_EQ(client.Step(input.substr(progress.consumed), output).state,
            ConversationState::kNeedsInput);
  EXPECT_EQ(output.view(), "+OK\r\n$1\r\n1\r\n");
}

TEST(Pipelining, ExecutionStopsWhileTheOutputIsFull) {
  RespWorld world;
  RespHarness client(world);
  client.Run({"SET", "a", std::string(kOutputHighWaterBytes / 2, 'x')});
  ByteBuffer output;
  const std::string input = Repeat("GET a\r\n", 10);

  const auto progress = client.Step(input, output);

  EXPECT_EQ(progress.state, ConversationState::kOutputFull);
  EXPECT_EQ(progress.consumed, 2 * 7u);
}

TEST(Pipelining, AnyCutOfAPipelineGivesTheSameReplies) {
  const std::string request =
      "SET a 1\r\nMULTI\r\nINCR a\r\nGET a\r\nEXEC\r\n" + EncodeRequest({"SET", "b", "x\r\ny"}) +
      "GET b\r\nFOO\r\nMGET a b c\r\nKEYS *\r\nWATCH a\r\nSET a 5\r\nMULTI\r\nGET a\r\nEXEC\r\n"
      "HELLO 3\r\nGET nope\r\nDEL a b\r\nDBSIZE\r\nSET \"q\\x00\" '1 2'\r\nPING\r\nQUIT\r\n";
  RespWorld whole_world;
  RespHarness whole(whole_world);
  const std::string expected = whole.Send(request);
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);

  for (int round = 0; round < 100; ++round) {
    RespWorld world;
    RespHarness client(world);
    // Both must have the same number, which HELLO shows.
    ASSERT_EQ(client.id(), whole.id());
    const std::size_t piece_max = round == 0 ? 1 : 1 + random() % 60;
    std::string replies;
    for (std::size_t at = 0; at < request.size();) {
      const std::size_t size = 1 + random() % piece_max;
      replies += client.Send(request.substr(at, size));
      at += size;
    }
    ASSERT_EQ(replies, expected);
  }
}

}  // namespace
}  // namespace switchback
