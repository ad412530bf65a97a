// MULTI, EXEC, DISCARD, WATCH: replies, errors and atomicity.
#include <gtest/gtest.h>

#include "tests/support/resp_harness.hpp"

namespace switchback {
namespace {

class Transactions : public testing::Test {
 protected:
  RespWorld world_;
  RespHarness client_{world_};
  RespHarness other_{world_};
};

constexpr const char* kAborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";

TEST_F(Transactions, ExecRunsWhatWasQueued) {
  EXPECT_EQ(client_.Line("MULTI"), "+OK\r\n");
  EXPECT_EQ(client_.Line("SET a 1"), "+QUEUED\r\n");
  EXPECT_EQ(client_.Line("INCR a"), "+QUEUED\r\n");
  EXPECT_EQ(client_.Line("GET a"), "+QUEUED\r\n");
  EXPECT_EQ(client_.Line("MGET a b"), "+QUEUED\r\n");
  EXPECT_EQ(other_.Line("GET a"), "$-1\r\n");
  EXPECT_EQ(client_.Line("EXEC"), "*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n*2\r\n$1\r\n2\r\n$-1\r\n");
  EXPECT_EQ(other_.Line("GET a"), "$1\r\n2\r\n");
}

TEST_F(Transactions, ExecIsOneWriteOfTheService) {
  const std::size_t before = world_.service.submitted_count();

  client_.Send("MULTI\r\nSET a 1\r\nSET b 2\r\nGET a\r\nEXEC\r\n");

  EXPECT_EQ(world_.service.submitted_count(), before + 1);
}

TEST_F(Transactions, AnEmptyExecIsAnEmptyArray) {
  EXPECT_EQ(client_.Send("MULTI\r\nEXEC\r\n"), "+OK\r\n*0\r\n");
}

TEST_F(Transactions, CommandsAboutTheClientRunInTheirPlace) {
  EXPECT_EQ(client_.Send("MULTI\r\nPING\r\nSET a 1\r\nECHO x\r\nGET a\r\nCLIENT GETNAME\r\n"
                         "CLIENT SETNAME me\r\nEXEC\r\nCLIENT GETNAME\r\n"),
            "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n"
            "*6\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n$1\r\n1\r\n$-1\r\n+OK\r\n$2\r\nme\r\n");
}

TEST_F(Transactions, SelectCountsFromWhereItStands) {
  EXPECT_EQ(client_
                .Send("MULTI\r\nSET a zero\r\nSELECT 1\r\nSET a one\r\nSELECT 99\r\nSET b one\r\n"
                      "EXEC\r\n")
                .substr(5 + 5 * 9),
            "*5\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n+OK\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$3\r\none\r\n") << "the client has changed over";
  EXPECT_EQ(world_.service.RecordsOf("default"), (FakeDbService::Records{{"a", "zero"}}));
  EXPECT_EQ(world_.service.RecordsOf("db1"), (FakeDbService::Records{{"a", "one"}, {"b", "one"}}));
}

TEST_F(Transactions, ADiscardedSelectSelectsNothing) {
  client_.Send("MULTI\r\nSELECT 1\r\nDISCARD\r\nSET a 1\r\n");

  EXPECT_EQ(world_.service.RecordsOf("default").size(), 1u);
}

TEST_F(Transactions, AnErrorAtRunTimeDoesNotStopTheOthers) {
  client_.Line("SET s abc");

  EXPECT_EQ(client_.Send("MULTI\r\nSET a 1\r\nINCR s\r\nSET b 2\r\nEXEC\r\n").substr(5 + 3 * 9),
            "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n");
  EXPECT_EQ(client_.Line("EXISTS a b"), ":2\r\n");
}

TEST_F(Transactions, AHalfDoneCommandIsUndoneAlone) {
  EXPECT_EQ(client_
                .Send("MULTI\r\nSET a 1\r\n" + EncodeRequest({"MSET", "b", "2", "", "3"}) +
                      "SET c 4\r\nEXEC\r\n")
                .substr(5 + 3 * 9),
            "*3\r\n+OK\r\n-ERR key must be 1 to 511 bytes\r\n+OK\r\n");
  EXPECT_EQ(client_.Line("MGET a b c"), "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n4\r\n");
}

TEST_F(Transactions, AnErrorWhileQueueingAborts) {
  for (const char* wrong : {"NOSUCH", "SET a", "CLIENT NOSUCH", "INFO"}) {
    client_.Line("MULTI");
    EXPECT_EQ(client_.Line(wrong).substr(0, 5), "-ERR ") << wrong;
    EXPECT_EQ(client_.Line("SET a 1"), "+QUEUED\r\n");
    EXPECT_EQ(client_.Line("EXEC"), kAborted) << wrong;
    EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
  }
}

TEST_F(Transactions, SomeCommandsHaveNoPlaceInside) {
  client_.Line("MULTI");

  EXPECT_EQ(client_.Line("HELLO 3"), "-ERR Command not allowed inside a transaction\r\n");
  EXPECT_EQ(client_.Line("EXEC"), kAborted);
}

TEST_F(Transactions, MisplacedWordsAreRefusedWithoutHarm) {
  EXPECT_EQ(client_.Line("EXEC"), "-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(client_.Line("DISCARD"), "-ERR DISCARD without MULTI\r\n");
  client_.Line("MULTI");
  client_.Line("SET a 1");
  EXPECT_EQ(client_.Line("MULTI"), "-ERR MULTI calls can not be nested\r\n");
  EXPECT_EQ(client_.Line("WATCH a"), "-ERR WATCH inside MULTI is not allowed\r\n");
  EXPECT_EQ(client_.Line("EXEC"), "*1\r\n+OK\r\n");
}

TEST_F(Transactions, DiscardForgets) {
  client_.Send("MULTI\r\nSET a 1\r\n");

  EXPECT_EQ(client_.Line("DISCARD"), "+OK\r\n");
  EXPECT_EQ(client_.Line("EXISTS a"), ":0\r\n");
  EXPECT_EQ(client_.Send("MULTI\r\nEXEC\r\n"), "+OK\r\n*0\r\n");
}

TEST_F(Transactions, AWatchedKeyThatChangesStopsExec) {
  client_.Line("SET a 1");
  client_.Line("WATCH a b");
  other_.Line("SET b 1");
  client_.Send("MULTI\r\nSET a 2\r\n");

  EXPECT_EQ(client_.Line("EXEC"), "*-1\r\n");
  EXPECT_EQ(client_.Line("GET a"), "$1\r\n1\r\n");
  EXPECT_EQ(client_.Send("MULTI\r\nSET a 2\r\nEXEC\r\n").substr(14), "*1\r\n+OK\r\n")
      << "the watch ended with the EXEC";
}

TEST_F(Transactions, AWatchedKeyThatStaysLetsExecRun) {
  client_.Line("WATCH a");
  other_.Line("SET b 1");

  EXPECT_EQ(client_.Send("MULTI\r\nSET a 2\r\nEXEC\r\n").substr(14), "*1\r\n+OK\r\n");
}

TEST_F(Transactions, TheClientsOwnWriteCountsAsAChange) {
  client_.Send("WATCH a\r\nSET a 1\r\n");

  EXPECT_EQ(client_.Send("MULTI\r\nGET a\r\nEXEC\r\n").substr(14), "*-1\r\n");
}

TEST_F(Transactions, WatchesAreOfTheSelectedCollection) {
  client_.Send("SELECT 1\r\nWATCH a\r\nSELECT 0\r\n");
  other_.Line("SET a 1");
  EXPECT_EQ(client_.Send("MULTI\r\nGET a\r\nEXEC\r\n").substr(14), "*1\r\n$1\r\n1\r\n");

  client_.Send("SELECT 1\r\nWATCH a\r\nSELECT 0\r\n");
  other_.Send("SELECT 1\r\nSET a 1\r\n");
  EXPECT_EQ(client_.Send("MULTI\r\nGET a\r\nEXEC\r\n").substr(14), "*-1\r\n");
}

TEST_F(Transactions, UnwatchDiscardAndResetForgetWatches) {
  for (const char* forget : {"UNWATCH", "MULTI\r\nDISCARD", "RESET"}) {
    client_.Line("WATCH a");
    other_.Line("INCR a");
    client_.Line(forget);
    EXPECT_EQ(client_.Send("MULTI\r\nPING\r\nEXEC\r\n").substr(14), "*1\r\n+PONG\r\n") << forget;
  }
}

TEST_F(Transactions, AbortedExecForgetsWatches) {
  client_.Send("WATCH a\r\nMULTI\r\nNOSUCH\r\nEXEC\r\n");
  other_.Line("SET a 1");

  EXPECT_EQ(client_.Send("MULTI\r\nPING\r\nEXEC\r\n").substr(14), "*1\r\n+PONG\r\n");
}

TEST_F(Transactions, ThereAreOnlySoManyWatches) {
  std::string request = "*" + std::to_string(kWatchedKeyCountMax + 2) + "\r\n$5\r\nWATCH\r\n";
  for (std::size_t i = 0; i <= kWatchedKeyCountMax; ++i) request += "$1\r\na\r\n";

  EXPECT_EQ(client_.Send(request), "-ERR too many watched keys\r\n");
}

TEST_F(Transactions, Resp3SaysAbortedItsOwnWay) {
  client_.Line("HELLO 3");
  client_.Line("WATCH a");
  other_.Line("SET a 1");

  EXPECT_EQ(client_.Send("MULTI\r\nGET b\r\nEXEC\r\n").substr(14), "_\r\n");
}

TEST_F(Transactions, ARefusedWriteAnswersTheWholeExec) {
  client_.Send("MULTI\r\nSET a 1\r\nPING\r\n");
  world_.service.FailWrites(Error{ErrorCode::kNoSpace, "disk full"});

  EXPECT_EQ(client_.Line("EXEC"), "-NOSPACE disk full\r\n");
  world_.service.FailWrites(std::nullopt);
  EXPECT_EQ(client_.Line("EXEC"), "-ERR EXEC without MULTI\r\n");
}

TEST_F(Transactions, LongReadsRunInside) {
  client_.Line("MSET a 1 b 2");

  EXPECT_EQ(client_.Send("MULTI\r\nDBSIZE\r\nKEYS *\r\nRANDOMKEY\r\nSCAN 0 COUNT 100\r\nEXEC\r\n")
                .substr(5 + 4 * 9, 26),
            "*4\r\n:2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
}

TEST_F(Transactions, RepliesOfAnExecAreBounded) {
  world_.environment.output_bytes_max = 10000;
  client_.Run({"SET", "a", std::string(1000, 'x')});
  std::string request = "MULTI\r\nSET b 1\r\n";
  for (int i = 0; i < 11; ++i) request += "GET a\r\n";
  client_.Send(request);

  EXPECT_EQ(client_.Line("EXEC"), "-ERR the transaction's replies are too long\r\n");
  EXPECT_EQ(client_.Line("EXISTS b"), ":0\r\n");
}

}  // namespace
}  // namespace switchback
